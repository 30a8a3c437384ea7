"""Best-of-N: draw N whole answers, keep them all; which one wins is the node's `select` rule.

1. Ask for N whole answers from the root, numbered 0 to N - 1 (so best-of-16 finds best-of-8's draws).
2. Finish when all have been told; with ``until_decided`` as soon as no other answer can overtake the one in
   front any more, which gives the same majority for fewer draws. What is still out is then cancelled.

Without a reward and with ``select: majority`` this is self-consistency (Wang et al., arXiv 2203.11171).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import Trajectory


class Options(_Options):
    """Options of best-of-N."""

    kind: Literal["best_of_n"] = "best_of_n"
    n: int = Field(8, gt=0, description="Whole answers to draw.")
    batch: int = Field(
        1,
        gt=0,
        description="Draws a ticket; without a reward they share one request where the model allows it.",
    )
    until_decided: bool = Field(
        False, description="Stop when the majority can't change any more; for select: majority."
    )
    wants_reward: ClassVar[bool] = False


@dataclass(slots=True)
class State:
    """Everything that changes: draws asked for, tickets given out and still out, what was told."""

    asked: int = 0
    told: int = 0
    tickets: int = 0
    out: list[int] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)


class BestOfN:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory, temperature: float | None = None) -> None:
        self._options, self._root, self._temperature = options, root, temperature
        self.state = State()

    @property
    def finished(self) -> bool:
        """True once all N have been told, or the vote is decided."""
        told, n = self.state.told, self._options.n
        return told == n or (self._options.until_decided and decided(self.state.candidates, n - told))

    def ask(self, room: int) -> list[Expansion]:
        """The next draws, at most ``room`` tickets of them."""
        state = self.state
        if self.finished:
            return []
        asked: list[Expansion] = []
        while len(asked) < room and state.asked < self._options.n:
            count = min(self._options.batch, self._options.n - state.asked)
            asked.append(Expansion(state.tickets, self._root, count, state.asked, True, self._temperature))
            state.out.append(state.tickets)
            state.tickets += 1
            state.asked += count
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Keep what was finished."""
        self.state.out.remove(outcome.ticket)
        self.state.told += len(outcome.candidates)
        self.state.candidates += [candidate for candidate in outcome.candidates if candidate.done]

    def candidates(self) -> list[Candidate]:
        """The finished answers, in the order told."""
        return list(self.state.candidates)


def decided(candidates: list[Candidate], remaining: int) -> bool:
    """True where the most frequent answer keeps its lead even if all ``remaining`` draws go to the second."""
    votes = Counter(candidate.answer.canonical for candidate in candidates if candidate.answer is not None)
    (_, first), (_, second) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    return first > second + remaining


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes."""
    return options.n


def build(options: Options, root: Trajectory, seed: int) -> BestOfN:
    """The search below ``root``."""
    return BestOfN(options, root)
