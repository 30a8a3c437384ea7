"""Events: what happens in a run, for progress bars and for those who watch. Facts only; logs are for operators.

A tagged union: ``type`` tells which.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from branchwise.orchestrator.core.decisions import Decision
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.result import Result

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins or is resumed; ``finished`` problems were done before."""

    seed: int
    directory: str | None
    finished: int = 0
    type: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True)
class ProblemStarted:
    """Work on a problem begins or is taken up again."""

    problem_id: str
    type: Literal["problem_started"] = "problem_started"


@dataclass(frozen=True, slots=True)
class NodeEntered:
    """The workflow came to this node."""

    problem_id: str
    node: str
    type: Literal["node_entered"] = "node_entered"


@dataclass(frozen=True, slots=True)
class Decided:
    """A search's driver decided something (replayed decisions are sent again).

    ``record`` reads what is on record of the search whenever it is called.
    """

    problem_id: str
    node: str
    decision: Decision
    type: Literal["decided"] = "decided"
    record: Callable[[], SearchRecord] | None = field(default=None, compare=False, repr=False)

    def tree(self) -> networkx.DiGraph:
        """The search's tree as it stands now, like a result's; what is under way is in it, too."""
        from branchwise.orchestrator.workflow.tree import tree_of_records

        return tree_of_records(self.problem_id, [self.record()] if self.record is not None else [])


@dataclass(frozen=True, slots=True)
class ProblemFinished:
    """A problem has its result."""

    result: Result
    type: Literal["problem_finished"] = "problem_finished"


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Nothing is left to do. ``suspended`` where the run was to stop before."""

    suspended: bool = False
    type: Literal["run_finished"] = "run_finished"


Event = RunStarted | ProblemStarted | NodeEntered | Decided | ProblemFinished | RunFinished
