"""The vocabulary that everything else speaks: immutable nouns, roles as Protocols, no I/O.

Only the standard library and pydantic are imported here, and nothing of Branchwise outside this folder.
"""
