"""Expansion and Outcome: what a search asks for and what it is told."""

from __future__ import annotations

from dataclasses import dataclass

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Expansion:
    """A ticket: grow ``count`` children from ``parent``, numbered from ``first``.

    Below a finished parent a child is a revision: a new answer, whose policy is shown the parent's as the draft.
    ``to_end`` wants whole answers instead of single steps; ``temperature`` overrides the policy's own.
    ``policy`` names which of the node's policies proposes (None: its first); ``judge=False`` wants no judgement.
    """

    ticket: int
    parent: Trajectory
    count: int = 1
    first: int = 0
    to_end: bool = False
    temperature: float | None = None
    policy: str | None = None
    judge: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as the policy spelled it, and the canonical form under which votes are counted."""

    text: str
    canonical: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One child that was grown: its trajectory, its answer if it has one, its judgement, or its failure.

    ``parent_steps`` is the number of steps that it had from its parent. In a world, ``key`` names the state that
    was reached, equal for equal states, and ``reward`` is what the world gave for the last action.
    """

    trajectory: Trajectory
    answer: Answer | None = None
    judgement: Judgement | None = None
    failure: Failure | None = None
    parent_steps: int = 0
    key: str | None = None
    reward: float | None = None

    @property
    def alive(self) -> bool:
        """True where the search may go on from here: it did not fail and nothing stopped it."""
        return self.failure is None and self.trajectory.stop is None

    @property
    def done(self) -> bool:
        """True where this is a finished solution attempt, with or without an answer that can be read."""
        return self.failure is None and self.trajectory.stop is not None and not self.trajectory.stop.is_budget

    @property
    def value(self) -> float | None:
        """The judged value; None where nobody judged, judging failed, or the candidate itself failed."""
        return self.judgement.value if self.judgement is not None and self.failure is None else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to an expansion: ``count`` candidates in sibling order, and what they used by role.

    ``refusal`` says which budget cut the expansion short; its candidates hold what was got before that.
    """

    ticket: int
    candidates: tuple[Candidate, ...]
    usage: tuple[tuple[str, Usage], ...] = ()
    refusal: StopReason | None = None
