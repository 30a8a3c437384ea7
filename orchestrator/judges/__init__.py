"""Judges of pairs: which of two finished candidates is the better one; the file name is the kind."""
