"""Collecting: keep Python's cycle collector from searching the imported libraries again and again during a run.

langgraph and what it imports leave some hundred thousand objects on the heap, and a search makes objects fast
enough to have all of them searched many times a second: a third of the run's CPU time (tests/benchmarks). While a
session is open they are left out, and collections are rarer; afterwards everything is as it was.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 50_000


@contextmanager
def calm_collector() -> Iterator[None]:
    """Freeze what is on the heap and collect more rarely inside. Leaves a collector alone that is switched off."""
    threshold = gc.get_threshold()
    if not gc.isenabled() or threshold[0] == 0 or threshold[0] >= ALLOCATIONS:  # or an outer session has done it
        yield
        return
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, *threshold[1:])
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()
