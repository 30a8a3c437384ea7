"""Tracing: one trace for each problem of each run, under an id that follows from the two.

Whoever sends a call and whoever reports on a run come to the same id (that of a W3C trace context, version 00).
"""

from __future__ import annotations

import hashlib


def trace_id(run: str, problem_id: str) -> str:
    """32 hex digits; ``run`` is the id in the run's manifest."""
    return hashlib.blake2b(f"{run}\n{problem_id}".encode("utf-8", "replace"), digest_size=16).hexdigest()
