"""Ways to reach a model: one file each, and wrappers with the same face."""
