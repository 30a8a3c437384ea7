"""Best-of-N: draw N whole answers, keep them all; which one wins is the node's `select` rule.

1. Ask for N whole answers from the root, numbered 0 to N - 1 (so best-of-16 finds best-of-8's draws).
2. Finish when all have been told, or as soon as the ``stop`` rule has seen enough; what is still out is then
   cancelled. ``esc`` and ``doubling`` ask for no more than their present window before they look. Draws that
   state no answer have no vote: they count towards N, but neither for nor against anybody.

Without a reward and with ``select: majority`` this is self-consistency (Wang et al., arXiv 2203.11171). The stop
rules, which look at votes alone, stand in stopping.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.stopping import Rule, Stopping


class Options(_Options):
    """Options of best-of-N."""

    kind: Literal["best_of_n"] = "best_of_n"
    n: int = Field(8, gt=0, description="Whole answers to draw.")
    batch: int = Field(
        1,
        gt=0,
        description="Draws a ticket; without a reward they share one request where the model allows it.",
    )
    stop: Rule = Field(
        "none",
        description="When fewer votes are enough. decided: nobody can overtake the leader; beta, dirichlet: it is "
        "ahead with confidence; esc: the votes of a window agree; doubling: 2, 4, 8, ... draws, until agreement.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="For beta and dirichlet: how sure of the leader.")
    agreement: float = Field(0.75, gt=0, le=1, description="For doubling: the leader's share of the votes.")
    esc_window: int = Field(5, gt=1, description="For esc: the draws of a window.")
    wants_reward: ClassVar[bool] = False


@dataclass(slots=True)
class State:
    """Everything that changes: draws asked for, tickets given out and still out, votes and candidates told."""

    asked: int = 0
    tickets: int = 0
    out: list[int] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    enough: bool = False
    candidates: list[Candidate] = field(default_factory=list)


class BestOfN:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory, seed: int = 0, temperature: float | None = None) -> None:
        self._options, self._root, self._temperature = options, root, temperature
        self._stopping = Stopping(
            options.stop, options.n, options.confidence, options.agreement, options.esc_window, seed
        )
        self.state = State()

    @property
    def finished(self) -> bool:
        """True once all N have been told, or the stop rule has seen enough."""
        return self.state.enough or len(self.state.answers) == self._options.n

    def ask(self, room: int) -> list[Expansion]:
        """The next draws, at most ``room`` tickets of them."""
        state, asked = self.state, list[Expansion]()
        wanted = 0 if self.finished else self._stopping.horizon(len(state.answers))
        while len(asked) < room and state.asked < wanted:
            count = min(self._options.batch, wanted - state.asked)
            asked.append(Expansion(state.tickets, self._root, count, state.asked, True, self._temperature))
            state.out.append(state.tickets)
            state.tickets += 1
            state.asked += count
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Count the votes and keep what was finished."""
        state = self.state
        state.out.remove(outcome.ticket)
        state.answers += [each.answer.canonical if each.answer else None for each in outcome.candidates]
        state.candidates += [candidate for candidate in outcome.candidates if candidate.done]
        state.enough = self._stopping.stops(state.answers)

    def candidates(self) -> list[Candidate]:
        """The finished answers, in the order told."""
        return list(self.state.candidates)


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes."""
    return options.n


def build(options: Options, root: Trajectory, seed: int) -> BestOfN:
    """The search below ``root``."""
    return BestOfN(options, root, seed)
