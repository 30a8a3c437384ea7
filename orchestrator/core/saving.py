"""Save and restore a search in the middle of a run: whatever changes in it is one dataclass, its ``state``.

A search keeps all that changes in ``state`` and nothing anywhere else, so that these two functions are enough.
State refers to nodes of a tree by number, not by object: what is shared before saving must be shared after it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from branchwise.orchestrator.core.roles import Search


def save(search: Search) -> str:
    """The state of a search as JSON text."""
    return _codec(search.state.__class__).dump_json(search.state).decode()


def restore(search: Search, saved: str) -> None:
    """Put a search of the same options and root back to where ``saved`` was taken; pydantic's error if it can't."""
    search.state = _codec(search.state.__class__).validate_json(saved)


@cache  # making one costs as much as using it a hundred times
def _codec(state: type) -> TypeAdapter[Any]:
    return TypeAdapter(state)
