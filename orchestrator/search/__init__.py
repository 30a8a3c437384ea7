"""Search algorithms, pure: one file each; the file name is the kind."""
