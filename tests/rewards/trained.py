"""Trained rewards on arithmetic chains: how many answers are right by a reward, and by the same one turned round."""

from __future__ import annotations

from typing import Any

from branchwise.orchestrator.api import load_task, solve_batch_sync
from tests.rewards import matrix

PROBLEMS = 4


def right(algorithm: str, reward: dict[str, Any], policy: dict[str, Any], judge: dict[str, Any]) -> int:
    """How many chains of four the search solves, with this policy, steered by this reward of this judge."""
    workflow = matrix.plan(algorithm, reward)
    workflow["models"] = {"m": policy, "judge": judge}
    workflow["nodes"]["search"]["policy"] |= {"max_step_tokens": 24, "max_tokens": 96}
    results = solve_batch_sync(load_task("arithmetic:steps=4", seed=3), workflow, seed=3, limit=PROBLEMS)
    assert not any(result.failures for result in results)
    return sum(result.grade is not None and result.grade.correct == 1 for result in results)


def turned(reward: dict[str, Any]) -> dict[str, Any]:
    """The reward, which likes now what it did not like."""
    return {"kind": "flipped", "share": 1.0, "reward": reward}
