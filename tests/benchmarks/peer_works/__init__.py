"""The works of ``peers.py`` written with other libraries, as their documentation shows, for where they are installed.

``python -m tests.benchmarks.peer_works.NAME`` lists what it can do, ``... NAME URL NUMBER`` does one of it. Nothing
of Branchwise is imported: a peer may live in an environment of its own.
"""
