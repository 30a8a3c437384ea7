"""How well the Countdown models do on problems they never met, measured through the engine.

    python -m examples.training.measure_countdown [--problems 500] [--samples 16]

1. Policy: greedy accuracy; of sampled solutions the mean, the chance of one right in so many, and the majority's.
2. Value model: the score of every line of those samples against exhaustive search, by numbers and by line.

Intervals are Wilson's, for 95 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from branchwise import load_task, solve_batch_sync
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.evaluation.statistics import wilson
from branchwise.tasks.countdown.generator import MAX_NUMBERS, MIN_NUMBERS, parse_problem
from branchwise.tasks.countdown.verifier import within_reach
from examples.training.measure_reward_model import Scored, measures

POLICY = {
    "kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n", "step_separator": "\n",
    "max_tokens": 128, "max_step_tokens": 40,
}  # fmt: skip
REWARD = {"kind": "label_token", "model": "value", "prompt": "$problem\n$steps", "reducer": "min"}


def workflow(policy: str, value: str | None, algorithm: dict[str, Any]) -> dict[str, Any]:
    """One search node with these models; majority where there is no value model."""
    models = {"policy": {"kind": "embedded", "model": policy}}
    node: dict[str, Any] = {"kind": "search", "algorithm": algorithm, "policy": POLICY, "together": True}
    if value is not None:
        models["value"] = {"kind": "embedded", "model": value}
        node["reward"] = REWARD
    return {"models": models, "nodes": {"answer": node}}


def solutions(result: Result) -> list[dict[str, Any]]:
    """The facts of every sampled solution."""
    return [facts for node, facts in result.tree().nodes(data=True) if node != "root"]


def scored(result: Result) -> Iterator[tuple[int, Scored]]:
    """(line, (score, whether the target is within reach)) of every line of every sample."""
    puzzle = parse_problem(result.tree().nodes["root"]["text"])
    assert puzzle is not None
    for facts in solutions(result):
        lines = facts["text"].splitlines()
        for line, pair in enumerate(zip(facts["step_scores"], within_reach(puzzle, lines), strict=True), 1):
            if pair[0] is not None:
                yield line, pair


def share(right: int, of: int) -> str:
    """A share with its interval."""
    interval = wilson(right, of)
    assert interval is not None
    return f"{right / of:.3f} ({interval.low:.3f} - {interval.high:.3f})"


def main() -> None:
    """Measure at each number count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="countdown-policy", help="name or path of the policy's GGUF")
    parser.add_argument("--value", default=None, help="name or path of the value model's GGUF; default: policy only")
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--seed", type=int, default=99)
    given = parser.parse_args()
    settings: dict[str, Any] = {"seed": given.seed, "limit": given.problems, "concurrency": 16}
    sampling = {"kind": "best_of_n", "n": given.samples, "batch": given.samples}
    for numbers in range(MIN_NUMBERS, MAX_NUMBERS + 1):
        task = load_task(f"countdown:numbers={numbers},count={given.problems}", seed=given.seed)
        greedy = solve_batch_sync(task, workflow(given.policy, None, {"kind": "greedy"}), **settings)
        sampled = solve_batch_sync(task, workflow(given.policy, given.value, sampling), **settings)
        grades = [[task.grade(one.problem_id, s["answer"]).correct for s in solutions(one)] for one in sampled]
        print(f"{numbers} numbers, {len(grades)} problems")
        print(f"  greedy {share(sum(one.grade.correct == 1 for one in greedy), len(greedy))}")
        print(f"  a sample {sum(map(sum, grades)) / sum(map(len, grades)):.3f}", end="  ")
        print(f"any of {given.samples} {share(sum(map(any, grades)), len(grades))}", end="  ")
        print(f"selected {share(sum(one.grade.correct == 1 for one in sampled), len(sampled))}")
        pairs = [pair for one in sampled for pair in scored(one)] if given.value else []
        for line in range(1, numbers):
            of_line = [pair for place, pair in pairs if place == line]
            if of_line:
                print(f"  line {line}: " + "  ".join(f"{k} {v:.3f}" for k, v in measures(of_line).items()))


if __name__ == "__main__":
    main()
