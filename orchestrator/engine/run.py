"""Run: what all problems of one run share. Models, journal, budget, seed, clock, and who is told of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from branchwise.orchestrator.core.budget import Account, Budget
from branchwise.orchestrator.core.events import Event
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Answering, Backend, Environment
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.journal.store import Journal


@dataclass(slots=True)
class Run:
    """The shared half of every episode. ``models`` are whole stacks: journalled, retrying, limited, metered.

    Where the task has a world, searches act in it: ``environment`` opens it for a problem. ``id`` is the manifest's.
    """

    seed: int
    journal: Journal
    models: Mapping[str, Backend]
    answer: Answering
    budget: Budget = field(default_factory=Budget)
    notify: Callable[[Event], None] = lambda event: None
    world: World | None = None
    environment: Callable[[Problem], Environment] | None = None
    id: str = ""
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account("run", self.budget.run, self.budget.mode)
        for _, role, usage in self.journal.paid_by_role():
            self.account.charge(usage, role)

    @property
    def suspended(self) -> str:
        """Why the run is to stop; empty while it is not."""
        return self.account.suspended

    def suspend(self, reason: str = "stopped as asked") -> None:
        """Send nothing more; what is in flight comes home and goes on record. The run can be resumed."""
        self.account.suspend(reason)

    def seconds_left(self, problem_id: str) -> float | None:
        """Seconds until the run's or the problem's time is up, whichever is sooner; None without a limit."""
        now = self.journal.elapsed_seconds()
        left = []
        if self.budget.run.seconds is not None:
            left.append(self.budget.run.seconds - now)
        if self.budget.problem.seconds is not None:
            started = self.journal.first_seconds(problem_id)
            left.append(self.budget.problem.seconds - (now - (now if started is None else started)))
        return min(left) if left else None
