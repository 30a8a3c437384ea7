"""How well the process reward model judges steps of problems it never met, measured through the engine.

1. Best-of-N over evaluation-side problems, each step scored.
2. Truth by recomputation: a step is good while it and all before it are right.
3. Bad-step F1 and accuracy at 0.5, area under the curve, and calibration (ten equal bins, expected error).

``python -m examples.training.measure_reward_model [--model arithmetic-prm] [--problems 300]``
"""

from __future__ import annotations

import argparse
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from branchwise import load_task, solve_batch_sync
from branchwise.tasks.arithmetic.generator import step_is_right
from examples.training.collect_step_labels import POLICY

Scored = tuple[float, bool]


def workflow(model: str, samples: int) -> dict[str, Any]:
    """Best-of-N, every step scored by the model."""
    reward = {"kind": "label_token", "model": "prm", "prompt": "$problem\n$steps", "reducer": "last"}
    search = {"kind": "best_of_n", "n": samples, "batch": samples}
    return {
        "models": {
            "policy": {"kind": "embedded", "model": "arithmetic-policy"},
            "prm": {"kind": "embedded", "model": model},
        },
        "nodes": {"n": {"kind": "search", "algorithm": search, "policy": POLICY, "reward": reward, "together": True}},
    }


def scored(model: str, steps: int, problems: int, samples: int, seed: int) -> Iterator[Scored]:
    """(score, whether the prefix is right) of every step of every sample."""
    task = load_task(f"arithmetic:steps={steps}", seed=seed, limit=problems)
    for result in solve_batch_sync(task, workflow(model, samples), seed=seed, limit=problems, concurrency=16):
        tree = result.tree()
        for node, facts in tree.nodes(data=True):
            if node == "root" or not facts["text"]:
                continue
            right = step_is_right(tree.nodes["root"]["text"], facts["text"].split("\n"))
            for score, good in zip(facts["step_scores"], accumulate(right, lambda a, b: a and b), strict=True):
                if score is not None:
                    yield score, good


def measures(pairs: list[Scored]) -> dict[str, float]:
    """Bad-step F1, precision and recall, accuracy, area under the curve, expected calibration error."""
    caught = sum(score < 0.5 and not good for score, good in pairs)
    flagged, bad = sum(score < 0.5 for score, _ in pairs), sum(not good for _, good in pairs)
    precision, recall = caught / max(1, flagged), caught / max(1, bad)
    high, low = sorted(s for s, good in pairs if good), sorted(s for s, good in pairs if not good)
    wins = sum(bisect_left(low, s) + (bisect_right(low, s) - bisect_left(low, s)) / 2 for s in high)
    bins = [[pair for pair in pairs if min(9, int(10 * pair[0])) == k] for k in range(10)]
    gaps = [abs(sum(s for s, _ in one) - sum(good for _, good in one)) for one in bins]
    return {
        "steps": len(pairs),
        "bad": bad / len(pairs),
        "F1": 2 * precision * recall / max(1e-9, precision + recall),
        "precision": precision,
        "recall": recall,
        "accuracy": sum((score >= 0.5) == good for score, good in pairs) / len(pairs),
        "AUC": wins / max(1, len(high) * len(low)),
        "ECE": sum(gaps) / len(pairs),
    }


def main() -> None:
    """Measure at three and five steps and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="arithmetic-prm", help="name or path of the reward model's GGUF")
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=99)
    options = parser.parse_args()
    for steps in (3, 5):
        pairs = list(scored(options.model, steps, options.problems, options.samples, options.seed))
        print(f"{steps} steps: " + "  ".join(f"{name} {value:.3f}" for name, value in measures(pairs).items()))


if __name__ == "__main__":
    main()
