"""Branchwise: test-time search for language models."""
