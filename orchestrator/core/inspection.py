"""Inspection: what a search knows of the nodes of its tree, for those who look at it while it runs, or afterwards.

A search may have the method ``statistics``; nothing of what it says is written down. Whoever looks repeats to a new
search what is on record (core/record.py) and asks that one. Texts, scores and the order of events are on record, so a
search without the method can be looked at, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from branchwise.orchestrator.core.roles import Search


@dataclass(frozen=True, slots=True)
class NodeStatistics:
    """What a search knows of a node; None where it knows nothing of the kind. All numbers are finite.

    ``visits``: how often the search came through here, never more than through the root. ``value``: what it takes the
    node to be worth, a mean of returns say. ``prior``: its share before anything was known of it, in [0, 1].
    ``extra``: what only this algorithm knows, by name.
    """

    visits: int | None = None
    value: float | None = None
    prior: float | None = None
    extra: tuple[tuple[str, str | int | float], ...] = ()


Statistics: TypeAlias = Mapping[tuple[int, ...], NodeStatistics]
"""By lineage: of the root and of candidates that were told, of all or of some of them."""


class Inspectable(Search, Protocol):
    """A search that says what it knows of its nodes, by ``state`` alone."""

    def statistics(self) -> Statistics: ...


def statistics_of(search: Search) -> Statistics:
    """What a search says of its nodes; nothing where it is not one that does."""
    say = getattr(search, "statistics", None)
    found: Statistics = say() if say is not None else {}
    return found
