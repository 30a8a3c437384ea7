"""Tables and the HTML report, read from journals alone."""
