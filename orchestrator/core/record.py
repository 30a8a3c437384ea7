"""SearchRecord: one search as it is on record. Whatever the search knew follows from it.

1. Begin a new search of the same options, root and seed.
2. Ask it what the record says it was asked, tell it what it was told: it comes to the same state.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from branchwise.orchestrator.core.decisions import Asked, Decision, Told
from branchwise.orchestrator.core.errors import JournalError
from branchwise.orchestrator.core.expansion import Expansion, Outcome
from branchwise.orchestrator.core.inspection import NodeStatistics, Statistics, statistics_of
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.trajectory import Trajectory

Begin = Callable[[Trajectory], Search]
"""What begins a search below a root."""


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """The decisions of one search so far, in order, and the root that it started from.

    ``node`` is the workflow's, ``begin`` begins the same search anew; None where nobody can.
    """

    node: str
    root: Trajectory
    decisions: Sequence[Decision]
    begin: Begin | None = None

    def statistics(self) -> Statistics:
        """What the search knows of its nodes; where it does not say, what can be counted in the record.

        JournalError where the search is not the recorded one.
        """
        said = {} if self.begin is None else statistics_of(replayed(self.begin(self.root), self.decisions))
        return said or counted(
            self.root, [decision.outcome for decision in self.decisions if isinstance(decision, Told)]
        )


def counted(root: Trajectory, outcomes: Iterable[Outcome]) -> Statistics:
    """What any search's record says of its nodes.

    ``visits``: draws that are this node or lie below it. ``value``: as it was judged. ``prior``: its share of its
    parent's draws.
    """
    candidates = {one.trajectory.lineage: one for outcome in outcomes for one in outcome.candidates}
    above = len(root.lineage)
    visits = Counter(lineage[:length] for lineage in candidates for length in range(above, len(lineage) + 1))
    siblings = Counter(lineage[:-1] for lineage in candidates)
    return {root.lineage: NodeStatistics(visits[root.lineage], prior=1.0)} | {
        lineage: NodeStatistics(visits[lineage], _finite(candidate.value), 1 / siblings[lineage[:-1]])
        for lineage, candidate in candidates.items()
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def replayed(search: Search, decisions: Iterable[Decision]) -> Search:
    """A new search, brought to where these decisions leave it. JournalError as of ``ask_again``."""
    for decision in decisions:
        match decision:
            case Asked():
                ask_again(search, decision)
            case Told(outcome):
                search.tell(outcome)
    return search


def ask_again(search: Search, asked: Asked) -> None:
    """Ask as the record says. JournalError where the search wants something else."""
    if [_shape(e) for e in search.ask(asked.room)] != [_shape(e) for e in asked.expansions]:
        raise JournalError(
            "the search asks for something else than the journal recorded: the plan or the code has "
            "changed since; start a new run (recorded draws can be taken over with --reuse)"
        )


def _shape(e: Expansion) -> tuple[object, ...]:
    return (e.ticket, e.parent.lineage, e.count, e.first, e.to_end, e.temperature, e.policy, e.judge)
