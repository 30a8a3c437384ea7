"""A reward of your own: a function of a trajectory, named in the workflow as module:function.

python examples/own_reward.py
"""

from __future__ import annotations

from branchwise import Trajectory, load_task, solve_batch_sync


def small_numbers(trajectory: Trajectory) -> dict[str, float]:
    """Named factors between 0 and 1: are the lines short, is the last one complete?"""
    lines = trajectory.text.strip().splitlines() or [""]
    longest = max(map(len, lines))
    return {"short": 1 / (1 + max(0, longest - 8)), "complete": float("=" in lines[-1])}


POLICY = {"kind": "solver", "model": "tiny", "style": "completion", "prompt": "$problem\n", "step_separator": "\n"}
SEARCH = {
    "kind": "search",
    "algorithm": {"kind": "best_of_n", "n": 4},
    "policy": POLICY,
    "reward": {"kind": "rule", "callable": f"{__name__}:small_numbers", "reducer": "product"},
    "select": "naive",
}
WORKFLOW = {"models": {"tiny": {"kind": "embedded", "model": "arithmetic-policy"}}, "nodes": {"answer": SEARCH}}

if __name__ == "__main__":
    for result in solve_batch_sync(load_task("arithmetic:steps=2", seed=7, limit=5), WORKFLOW, seed=7):
        print(f"{result.problem_id}: {result.answer}, judged {result.value:.2f}")
