"""The commands of `branchwise`, a file each; cli.py chooses among them."""
