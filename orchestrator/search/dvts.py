"""DVTS, diverse verifier tree search: independent greedy subtrees that never compete with each other.

1. Plant ``subtrees`` broods of ``expansions`` first steps each below the root.
2. Each subtree keeps the best child of its last brood (ties: first grown) and grows ``expansions`` children of it,
   at the last depth to the end of the answer. It does not wait for any other subtree.
3. A subtree whose best child is finished, or of which nothing is left, ends. Every finished child of its last brood
   is a candidate: all of them vote, not only the best.

A finished child that its subtree passed over is no candidate, as in the reference; ``keep_passed_over`` keeps it.
With ``lookahead`` a step is judged by where it leads: by the text that is that many greedy steps longer.

Beeching et al., "Scaling test-time compute with open models" (HF search-and-learn): N samples with beam width M are
subtrees = N / M and expansions = M.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.growing import Brood, Growth
from branchwise.orchestrator.search.levels import best, finished, value


class Options(_Options):
    """Options of DVTS."""

    kind: Literal["dvts"] = "dvts"
    subtrees: int = Field(4, gt=0, description="Subtrees, each grown greedily by itself (N / M).")
    expansions: int = Field(4, gt=0, description="Children grown at each step of a subtree (M).")
    depth: int = Field(8, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    lookahead: int = Field(0, ge=0, description="Greedy steps drawn after each step, to judge it by where it leads.")
    keep_passed_over: bool = Field(False, description="Finished children that their subtree passed over vote, too.")
    wants_reward: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True


@dataclass(slots=True)
class State:
    """Everything that changes."""

    growth: Growth
    finished: list[Candidate] = field(default_factory=list)


class Dvts:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory) -> None:
        self._options, self._above = options, len(root.lineage)
        self.state = State(Growth(options.lookahead))
        for number in range(options.subtrees):
            first = number * options.expansions
            self.state.growth.start(root, options.expansions, first, to_end=options.depth == 1)

    @property
    def finished(self) -> bool:
        """True when every subtree has ended."""
        return self.state.growth.idle

    def ask(self, room: int) -> list[Expansion]:
        """The next broods of whichever subtrees are ready."""
        return self.state.growth.ask(room)

    def tell(self, outcome: Outcome) -> None:
        """Take in children; a subtree whose brood is complete goes on from its best child, or ends."""
        brood = self.state.growth.tell(outcome)
        if brood is not None:
            self._grow_on(brood)

    def candidates(self) -> list[Candidate]:
        """The finished solutions of the subtrees, in the order told."""
        return list(self.state.finished)

    def _grow_on(self, brood: Brood) -> None:
        grown = [child for child in brood.children if child.alive or child.done]
        kept = next(iter(best(grown, 1, value)), None)
        goes_on = kept is not None and kept.alive
        if kept is not None and goes_on:
            last = len(kept.trajectory.lineage) - self._above == self._options.depth - 1
            self.state.growth.go_on(kept, self._options.expansions, to_end=last)
        if self._options.keep_passed_over or not goes_on:
            self.state.finished += finished([brood])


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    steps = options.depth + options.lookahead * (options.depth - 1)
    return options.subtrees * options.expansions * steps


def build(options: Options, root: Trajectory, seed: int) -> Dvts:
    """The search below ``root``."""
    return Dvts(options, root)
