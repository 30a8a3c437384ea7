"""Best-first search: always go on from the best state found so far, wherever in the tree it is.

1. Keep every state that can go on in a queue, by the value of a reward model (ties: first grown).
2. Take the best and grow ``expansions`` children of it, at the last depth to the end of the answer. Up to
   ``in_flight`` states are grown at once, without waiting for each other: with 1 it is the textbook's search, with
   more the next best are taken before the best one's children are known.
3. Stop when ``budget`` states have been grown, when none is left, or when a finished solution is ``enough``. The
   answer is the finished solution of greatest value.

Koh et al., "Tree Search for Language Model Agents", arXiv 2407.01476: expansions is their b, depth d, budget c and
enough their threshold, with in_flight 1.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.growing import Growth


class Options(_Options):
    """Options of best-first search."""

    kind: Literal["best_first"] = "best_first"
    expansions: int = Field(4, gt=0, description="Children grown from a state.")
    budget: int = Field(20, gt=0, description="States grown, the root included.")
    depth: int = Field(8, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    in_flight: int = Field(4, gt=0, description="States grown at once; 1 is the textbook's search.")
    enough: float | None = Field(None, description="Stop at a finished solution of at least this value.")
    wants_reward: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    adaptive: ClassVar[bool] = True
    own_select: ClassVar[Rule] = "naive"


@dataclass(slots=True)
class State:
    """Everything that changes. ``queue`` is a heap of (has no value, minus the value, number in ``open``)."""

    growth: Growth = field(default_factory=Growth)
    met: int = 0
    queue: list[tuple[bool, float, int]] = field(default_factory=list)
    open: dict[int, Candidate] = field(default_factory=dict)
    finished: list[Candidate] = field(default_factory=list)


class BestFirst:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory) -> None:
        self._options, self._above = options, len(root.lineage)
        self.state = State()
        self._enqueue(Candidate(root))

    @property
    def finished(self) -> bool:
        """True when a solution is good enough, or the budget or the queue is used up."""
        return self._enough() or (self.state.growth.idle and not self._left())

    def ask(self, room: int) -> list[Expansion]:
        """Grow the best open states."""
        growth, options = self.state.growth, self._options
        for _ in range(0 if self._enough() else min(room, options.in_flight - len(growth.out), self._left())):
            best = self._dequeue()
            depth = len(best.trajectory.lineage) - self._above
            growth.go_on(best, options.expansions, to_end=depth == options.depth - 1)
        return growth.ask(room)

    def tell(self, outcome: Outcome) -> None:
        """Keep what is finished, and queue what can go on."""
        brood = self.state.growth.tell(outcome)
        for child in brood.children if brood is not None else ():
            if child.done:
                self.state.finished.append(child)
            elif child.alive:
                self._enqueue(child)

    def candidates(self) -> list[Candidate]:
        """The finished solutions, in the order told."""
        return list(self.state.finished)

    def _left(self) -> int:
        """How many states may still be grown, as things are."""
        return min(self._options.budget - self.state.growth.wanted, len(self.state.queue))

    def _enough(self) -> bool:
        wanted = self._options.enough
        return wanted is not None and any(
            one.value is not None and one.value >= wanted for one in self.state.finished
        )

    def _enqueue(self, candidate: Candidate) -> None:
        state, value = self.state, candidate.value
        heapq.heappush(state.queue, (value is None, -(value or 0.0), state.met))
        state.open[state.met] = candidate
        state.met += 1

    def _dequeue(self) -> Candidate:
        return self.state.open.pop(heapq.heappop(self.state.queue)[-1])


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return options.budget * options.expansions


def build(options: Options, root: Trajectory, seed: int) -> BestFirst:
    """The search below ``root``."""
    return BestFirst(options, root)
