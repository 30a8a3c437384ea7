"""Step beam search: keep the best partial solutions at each depth, by the value of a reward model.

1. Grow ``root_expansions`` children of the root (default: ``expansions``).
2. Set finished children apart; of the others keep the ``width`` best (ties: first grown).
3. Grow ``expansions`` children of each of them, to the end at the last depth.
4. Repeat 2 and 3 until nothing is left to grow or ``depth`` is reached.

Snell et al., arXiv 2408.03314, section 5; with N samples and beam width M as in HF's search-and-learn this is
root_expansions = N, width = N / M, expansions = M, which draws as many steps at each depth as N whole answers
have. Here a finished solution frees its place for the next best.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory


class Options(_Options):
    """Options of beam search."""

    kind: Literal["beam"] = "beam"
    width: int = Field(4, gt=0, description="Partial solutions kept at each depth.")
    expansions: int = Field(4, gt=0, description="Children grown from each of them.")
    root_expansions: int | None = Field(None, gt=0, description="Children grown from the root; default: expansions.")
    depth: int = Field(8, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    deduplicate: bool = Field(False, description="Keep only the first of partial solutions with equal text.")
    wants_reward: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True

    @property
    def first(self) -> int:
        """Children of the root."""
        return self.root_expansions or self.expansions


@dataclass(slots=True)
class State:
    """Everything that changes."""

    depth: int = 0
    tickets: int = 0
    waiting: list[Trajectory] = field(default_factory=list)
    out: dict[int, Trajectory] = field(default_factory=dict)
    grown: dict[int, list[Candidate]] = field(default_factory=dict)
    finished: list[Candidate] = field(default_factory=list)


class Beam:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory) -> None:
        self._options = options
        self.state = State(waiting=[root])

    @property
    def finished(self) -> bool:
        """True when nothing is left to grow."""
        return not self.state.waiting and not self.state.out

    def ask(self, room: int) -> list[Expansion]:
        """Expansions of this depth's beams that have not been asked for yet."""
        state, options, asked = self.state, self._options, []
        to_end = state.depth == options.depth - 1
        for beam in state.waiting[:room]:
            count = options.expansions if state.depth else options.first
            asked.append(Expansion(state.tickets, beam, count, to_end=to_end))
            state.out[state.tickets] = beam
            state.tickets += 1
        del state.waiting[:room]
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Take in the children; when the depth is complete, choose the next beams."""
        state = self.state
        del state.out[outcome.ticket]
        state.grown[outcome.ticket] = list(outcome.candidates)
        if state.waiting or state.out:
            return
        level = [child for ticket in sorted(state.grown) for child in state.grown[ticket]]
        state.grown = {}
        state.depth += 1
        state.finished += [child for child in level if child.done]
        alive = [child for child in level if child.alive]
        if state.depth < self._options.depth:
            state.waiting = [c.trajectory for c in survivors(alive, self._options.width, self._options.deduplicate)]
        else:
            state.finished += [_cut_off(child) for child in alive]

    def candidates(self) -> list[Candidate]:
        """The finished solutions, shallow ones first."""
        unsorted = [child for ticket in sorted(self.state.grown) for child in self.state.grown[ticket]]
        return self.state.finished + [child for child in unsorted if child.done]


def survivors(candidates: list[Candidate], width: int, deduplicate: bool = False) -> list[Candidate]:
    """The ``width`` best by value, best first; those without a value last, ties in the order grown."""
    if deduplicate:
        seen: set[str] = set()
        candidates = [c for c in candidates if not (c.trajectory.text in seen or seen.add(c.trajectory.text))]  # type: ignore[func-returns-value]
    return sorted(candidates, key=lambda c: (c.value is None, -(c.value or 0.0)))[: max(1, width)]


def _cut_off(child: Candidate) -> Candidate:
    t = child.trajectory
    stopped = Trajectory(t.problem, t.steps, t.lineage, StopReason.MAX_DEPTH)
    return Candidate(stopped, child.answer, child.judgement, child.failure, child.parent_steps)


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    beams = [min(options.width, int(options.first * options.expansions**level)) for level in range(options.depth - 1)]
    return options.first + options.expansions * sum(beams)


def build(options: Options, root: Trajectory, seed: int) -> Beam:
    """The search below ``root``."""
    return Beam(options, root)
