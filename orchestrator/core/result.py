"""Result: what came out for one problem, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True)
class Result:
    """The answer to one problem. ``drawn`` and ``cancelled`` are usage by role.

    ``drawn`` counts every draw that was used, paid in this run or found on record; ``cancelled`` what branches
    had drawn when they were given up. ``votes`` are the canonical answers with their weight, best first.
    ``judgements`` counts those that were asked for, lost ones included. ``grade`` is None until the task has graded.
    """

    problem_id: str
    answer: str | None
    stop: StopReason
    trajectory: Trajectory | None = None
    value: float | None = None
    votes: tuple[tuple[str, float], ...] = ()
    drawn: tuple[tuple[str, Usage], ...] = ()
    cancelled: tuple[tuple[str, Usage], ...] = ()
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    grade: Grade | None = None
    judgements: int = 0
    record: Callable[[], list[SearchRecord]] | None = field(default=None, compare=False, repr=False)

    @property
    def usage(self) -> Usage:
        """Everything that was drawn, by all roles, cancelled branches included."""
        return sum((used for _, used in self.drawn + self.cancelled), NOTHING)

    def usage_of(self, role: str) -> Usage:
        """What one role drew, cancelled branches included."""
        return sum((used for name, used in self.drawn + self.cancelled if name == role), NOTHING)

    def tree(self) -> networkx.DiGraph:
        """The search tree as a networkx graph; ``networkx.node_link_data`` makes JSON of it."""
        from branchwise.orchestrator.workflow.tree import tree_of

        return tree_of(self)
