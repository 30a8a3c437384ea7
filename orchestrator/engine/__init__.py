"""The only async conductor."""
