"""Suggesting: what to add to an error about a wrong name: the nearest valid one, and all that there are."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


def suggestion(name: str, valid: Sequence[str]) -> str:
    """What to add to an error about a wrong name."""
    near = get_close_matches(name, valid, n=1, cutoff=0.5)
    return (f"; did you mean '{near[0]}'?" if near else "") + f" (there are: {', '.join(valid)})"
