"""Step and Trajectory: a way through a problem, with its address in the tree, and why it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from branchwise.orchestrator.core.problem import Problem


class StopReason(StrEnum):
    """Why a trajectory or a whole search ended. None of these is an error."""

    ANSWERED = "answered"
    """The policy ended its answer, or the search ended as its algorithm means it to."""
    ENVIRONMENT_DONE = "environment_done"
    """The task's world said that the episode is over."""
    MAX_DEPTH = "max_depth"
    """The step or depth limit was reached without an answer."""
    MAX_TOKENS = "max_tokens"
    """The policy was cut off at max_tokens."""
    CONTEXT_OVERFLOW = "context_overflow"
    """The prompt no longer fits into the model's context."""
    BAD_FORMAT = "bad_format"
    """The policy's text could not be read as a step or an answer."""
    BUDGET_TOKENS = "budget_tokens"
    """The token budget refused the next call."""
    BUDGET_CALLS = "budget_calls"
    """The call budget refused the next call."""
    BUDGET_MONEY = "budget_money"
    """The money budget refused the next call."""
    BUDGET_SECONDS = "budget_seconds"
    """The time budget ran out."""
    FAILED = "failed"
    """Every candidate was lost to a failure."""

    @property
    def is_budget(self) -> bool:
        """True for the ends of a budget."""
        return self.value.startswith("budget_")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A step as its policy's server drew it: so that what follows goes on from the very same tokens.

    ``ids`` are exactly the step's text. ``prompt`` are those before it, where it was asked for by text; empty where
    it was asked for by ids, which are then those of the steps before. ``origin`` says for which model and prompt
    they hold: another one tokenises otherwise, or asks otherwise.
    """

    ids: tuple[int, ...]
    prompt: tuple[int, ...]
    origin: str


def continued(steps: tuple[Step, ...], origin: str) -> tuple[int, ...] | None:
    """The token ids of a prompt and all ``steps`` after it; None where a step has none of this origin."""
    parts: list[tuple[int, ...]] = []
    for step in reversed(steps):
        tokens = step.tokens
        if tokens is None or tokens.origin != origin:
            return None
        parts.append(tokens.ids)
        if tokens.prompt:
            return tuple(chain(tokens.prompt, *reversed(parts)))
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """One reasoning step. ``text`` keeps its separator, so joined steps are the exact text of the policy.

    ``score`` is what the process reward that steers the search gave this step, once it has: so a step is
    judged once, however long the trajectory grows. ``logprob`` is the sum over the step's tokens, in nats. In a
    world, ``action`` is what was done (a policy may leave it to the text), ``observation`` what was then seen, and
    ``reward`` what it earned. ``tokens`` are transport: steps of one text are equal however it was tokenised.
    """

    text: str
    observation: str | None = None
    logprob: float | None = None
    model: str | None = None
    score: float | None = None
    action: str | None = None
    reward: float | None = None
    tokens: Tokens | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Steps from the problem on. ``lineage`` holds one sibling index a draw: the address in any tree.

    A draw may bring several steps (a whole answer does), so there can be more steps than lineage indices.
    """

    problem: Problem
    steps: tuple[Step, ...] = ()
    lineage: tuple[int, ...] = ()
    stop: StopReason | None = None

    @property
    def text(self) -> str:
        """All steps joined: what the policy wrote."""
        return "".join(step.text for step in self.steps)

    @property
    def terminal(self) -> bool:
        """True where nothing can be added."""
        return self.stop is not None

    @property
    def stem(self) -> Trajectory:
        """What a child goes on from: this trajectory, or, where nothing can be added to it, the start: a revision."""
        return Trajectory(self.problem, (), self.lineage) if self.terminal else self

    def extend(self, steps: tuple[Step, ...], sibling: int, stop: StopReason | None = None) -> Trajectory:
        """The child number ``sibling`` of this trajectory, longer by ``steps``."""
        return Trajectory(self.problem, self.steps + steps, (*self.lineage, sibling), stop)
