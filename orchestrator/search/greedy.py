"""One answer at temperature 0: the single point that every search is measured against.

1. Ask for one whole answer at temperature 0.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.best_of_n import BestOfN
from branchwise.orchestrator.search.best_of_n import Options as BestOfNOptions


class Options(_Options):
    """Options of the greedy search: none."""

    kind: Literal["greedy"] = "greedy"
    wants_reward: ClassVar[bool] = False


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes."""
    return 1


def build(options: Options, root: Trajectory, seed: int) -> BestOfN:
    """A best-of-one at temperature 0."""
    return BestOfN(BestOfNOptions(n=1), root, seed, temperature=0.0)
