"""Workflows and scripts over the scripted backend that several tests use."""

from __future__ import annotations

import random
from typing import Any

from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.trajectory import Trajectory


def script(request: Request, seed: int) -> str:
    """Up to four steps of three words, then an answer in 0..3: all by the seed."""
    rng = random.Random(seed)
    steps = "".join(f"step {rng.randrange(100)} done\n" for _ in range(1 + rng.randrange(4)))
    return steps + f"answer: {rng.randrange(4)}"


def liking(trajectory: Trajectory) -> float:
    """A rule that likes some texts better than others, for no reason."""
    return random.Random(trajectory.text).random()


def flow(algorithm: dict[str, Any], reward: bool = True, budget: dict[str, Any] | None = None, **node: Any) -> Any:
    """One search over the scripted model `m`."""
    policy = {"kind": "solver", "model": "m", "prompt": "$problem", "style": "completion", "step_separator": "\n",
              "max_tokens": 20, "max_step_tokens": 6}  # fmt: skip
    search: dict[str, Any] = {"kind": "search", "algorithm": algorithm, "policy": policy, **node}
    if reward:
        search["reward"] = {"kind": "rule", "callable": "tests.engine.flows:liking"}
    return {
        "models": {"m": {"kind": "scripted", "answers": ["unused"], "max_in_flight": 64}},
        "nodes": {"search": search},
        "budget": budget or {},
    }
