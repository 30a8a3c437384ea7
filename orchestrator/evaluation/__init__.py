"""Statistics and comparisons of strategies."""
