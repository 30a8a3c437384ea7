"""A household game, made up by a seed, searched by MCTS over its admissible commands: a run that may be killed.

``python -m tests.stories.household DIR`` starts it, or goes on with it. The outcome alone steers it, eight leaves are
under way at once, and no model is asked anything.
"""

from __future__ import annotations

import sys
from typing import Any

from branchwise.orchestrator.api import load_task, solve_batch_sync
from branchwise.orchestrator.core.result import Result

SEED, IN_FLIGHT = 3, 8
GAME = "alfworld:type=look_at_obj_in_light,count=1,receptacles=5,objects=3,max_steps=16"
MCTS: dict[str, Any] = {
    "kind": "mcts",
    "iterations": 40,
    "children": 10,
    "depth": 12,
    "evaluate": "leaf",
    "rollouts": 2,
    "in_flight": IN_FLIGHT,
    "transpositions": True,
}


def workflow() -> dict[str, Any]:
    """The search, without a model."""
    search = {"kind": "search", "algorithm": MCTS, "policy": {"kind": "chooser"}, "reward": {"kind": "world"}}
    return {"nodes": {"search": search}}


def play(directory: str) -> Result:
    """Play the game into a run directory."""
    (result,) = solve_batch_sync(load_task(GAME, SEED), workflow(), seed=SEED, out=directory)
    return result


if __name__ == "__main__":
    play(sys.argv[1])
