"""What `branchwise doctor` finds out: which models are there, what they can do, and whether rewards can judge."""
