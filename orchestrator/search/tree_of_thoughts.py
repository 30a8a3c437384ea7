"""Tree of thoughts, breadth-first: propose thoughts for every state kept, evaluate them all, keep the best.

1. Grow ``root_expansions`` thoughts from the root (default: ``expansions``), then ``expansions`` from each state.
2. Of all new states and the finished ones kept before, keep the ``width`` best (ties: kept or grown first).
3. Repeat until all that are kept are finished, or ``depth`` is reached.

A finished state holds its place among the ``width`` and loses it to better ones; that is the difference from
beam search, where it leaves a place free. Only what is kept at the end is a candidate; the best one answers.

Yao et al., arXiv 2305.10601, algorithm 1: ``width`` is its b, ``expansions`` its k, ``depth`` its T.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search import levels
from branchwise.orchestrator.search.growing import Brood
from branchwise.orchestrator.search.levels import Chosen, LevelOptions, Levels


class Options(LevelOptions):
    """Options of tree of thoughts."""

    kind: Literal["tree_of_thoughts"] = "tree_of_thoughts"
    own_select: ClassVar[Rule] = "naive"


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return levels.most_draws(options)


def build(options: Options, root: Trajectory, seed: int) -> Levels:
    """The search below ``root``."""

    def choose(finished: list[Candidate], level: list[Brood]) -> Chosen:
        grown = [child for brood in level for child in brood.children if child.alive or child.done]
        kept = levels.best(finished + grown, options.width, levels.value, options.deduplicate)
        return Chosen([each for each in kept if each.done], [each for each in kept if each.alive])

    return Levels(options, root, choose)
