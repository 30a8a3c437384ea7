"""SearchRecord: one search as it is on record. Whatever the search knew follows from it.

1. Begin a new search of the same options, root and seed.
2. Ask it what the record says it was asked, tell it what it was told: it comes to the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from branchwise.orchestrator.core.decisions import Asked, Decision, Told
from branchwise.orchestrator.core.errors import JournalError
from branchwise.orchestrator.core.expansion import Expansion
from branchwise.orchestrator.core.inspection import Statistics, statistics_of
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
        """What the search knows of its nodes, if it says. JournalError where the search is not the recorded one."""
        return {} if self.begin is None else statistics_of(replayed(self.begin(self.root), self.decisions))


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
