"""Same seed, same trees: twice on the embedded engine, eight draws in flight."""

from __future__ import annotations

from typing import Any

import pytest

from branchwise.orchestrator.api import load_task, solve_batch_sync

POLICY = {"kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n",
          "step_separator": "\n", "max_tokens": 96, "max_step_tokens": 24}  # fmt: skip
FLOW = {
    "models": {"policy": {"kind": "embedded", "model": "arithmetic-policy", "slots": 8}},
    "nodes": {
        "search": {
            "kind": "search",
            "algorithm": {"kind": "beam", "width": 2, "expansions": 4, "depth": 5},
            "policy": POLICY,
            "reward": {"kind": "calculator"},
        }
    },
}


def trees(concurrency: int) -> Any:
    task = load_task("arithmetic:steps=3", seed=11)
    results = solve_batch_sync(task, FLOW, seed=11, limit=60, concurrency=concurrency)
    assert sum(result.usage.calls for result in results) > 1000
    return [(result.answer, result.votes, sorted(result.tree().nodes(data="text"))) for result in results]


@pytest.mark.timeout(300)
def test_over_a_thousand_draws_the_trees_are_the_same() -> None:
    assert trees(concurrency=8) == trees(concurrency=3)
