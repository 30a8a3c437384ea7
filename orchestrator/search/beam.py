"""Step beam search: keep the best partial solutions at each depth, by the value of a reward model.

1. Grow ``root_expansions`` children of the root (default: ``expansions``).
2. Set finished children apart; of the others keep the ``width`` best (ties: first grown).
3. Grow ``expansions`` children of each of them, to the end at the last depth.
4. Repeat 2 and 3 until nothing is left to grow or ``depth`` is reached.

With ``lookahead`` a step is judged by where it leads: by the text that is that many greedy steps longer.

Snell et al., arXiv 2408.03314, section 5; with N samples and beam width M as in HF's search-and-learn this is
root_expansions = N, width = N / M, expansions = M, which draws as many steps at each depth as N whole answers
have. Here a finished solution frees its place for the next best.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search import levels
from branchwise.orchestrator.search.growing import Brood
from branchwise.orchestrator.search.levels import Chosen, LevelOptions, Levels


class Options(LevelOptions):
    """Options of beam search."""

    kind: Literal["beam"] = "beam"
    lookahead: int = Field(0, ge=0, description="Greedy steps drawn after each step, to judge it by where it leads.")


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return levels.most_draws(options, options.lookahead)


def build(options: Options, root: Trajectory, seed: int) -> Levels:
    """The search below ``root``."""

    def choose(finished: list[Candidate], level: list[Brood]) -> Chosen:
        kept = levels.best(levels.alive(level), options.width, levels.value, options.deduplicate)
        return Chosen(finished + levels.finished(level), kept)

    return Levels(options, root, choose, options.lookahead)
