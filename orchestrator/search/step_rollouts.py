"""Rollouts from every step: how Monte Carlo step labels are collected. It searches for data, not for answers.

1. Grow ``solutions`` chains of single steps from the root.
2. From every step that is not the last, draw ``rollouts`` whole continuations as well.
3. Finish when all chains have ended or reached ``depth``.

The share of a step's rollouts that reach the right answer estimates the value of the prefix that ends with it
(Math-Shepherd, arXiv 2312.08935, section 3.3: soft label the share, hard label whether it is above zero). Child
0 of a node goes on with its chain, children 1 to ``rollouts`` are its rollouts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import Trajectory


class Options(_Options):
    """Options of collecting rollouts."""

    kind: Literal["step_rollouts"] = "step_rollouts"
    solutions: int = Field(4, gt=0, description="Chains of steps grown from the root.")
    rollouts: int = Field(8, gt=0, description="Whole continuations drawn from every step.")
    depth: int = Field(8, gt=0, description="Most steps of a chain.")
    wants_reward: ClassVar[bool] = False
    stepwise: ClassVar[bool] = True


@dataclass(slots=True)
class State:
    """Everything that changes."""

    tickets: int = 0
    waiting: list[Expansion] = field(default_factory=list)
    out: dict[int, Expansion] = field(default_factory=dict)
    finished: list[Candidate] = field(default_factory=list)


class StepRollouts:
    """The collection over one problem."""

    def __init__(self, options: Options, root: Trajectory) -> None:
        self._options = options
        self.state = State()
        for number in range(options.solutions):
            self._want(root, 1, number, to_end=options.depth == 1)

    @property
    def finished(self) -> bool:
        """True when every chain has ended and every rollout is there."""
        return not self.state.waiting and not self.state.out

    def ask(self, room: int) -> list[Expansion]:
        """Steps and rollouts in the order in which they became possible."""
        state = self.state
        asked, state.waiting = state.waiting[:room], state.waiting[room:]
        state.out |= {expansion.ticket: expansion for expansion in asked}
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Keep what is finished; a chain that goes on wants its rollouts and its next step."""
        done = self.state.out.pop(outcome.ticket)
        self.state.finished += [candidate for candidate in outcome.candidates if candidate.done]
        if done.to_end:
            return
        for child in outcome.candidates:
            if child.alive:
                last = len(child.trajectory.lineage) == self._options.depth - 1
                self._want(child.trajectory, 1, 0, to_end=last)
                self._want(child.trajectory, self._options.rollouts, 1, to_end=True)

    def _want(self, parent: Trajectory, count: int, first: int, to_end: bool) -> None:
        state = self.state
        state.waiting.append(Expansion(state.tickets, parent, count, first, to_end))
        state.tickets += 1

    def candidates(self) -> list[Candidate]:
        """Every finished solution, chains and rollouts alike."""
        return list(self.state.finished)


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return options.solutions * (1 + (options.depth - 1) * (1 + options.rollouts))


def build(options: Options, root: Trajectory, seed: int) -> StepRollouts:
    """The collection below ``root``."""
    return StepRollouts(options, root)
