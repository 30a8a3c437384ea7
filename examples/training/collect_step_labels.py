"""Step labels for the process reward model, collected by the engine itself with rollouts from the policy.

1. Chains from the training side of the split, of 1 to 5 operations.
2. The search kind ``step_rollouts`` grows solutions step by step and draws whole continuations from every step.
3. A step's label is the share of its continuations that reach the right answer; a last step's is 0 or 1.

``python examples/training/collect_step_labels.py --out labels.jsonl`` writes a row a solution:
{"problem": "47+38*3-95", "steps": ["47+38=85", ...], "labels": [1.0, 0.75, 0.0]}. The run directory beside it
lets a killed collection go on where it was.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from branchwise import Result, solve_iter
from branchwise.orchestrator.api import run_sync
from branchwise.tasks.arithmetic.generator import Chain, training_chain
from branchwise.tasks.arithmetic.task import ArithmeticTask

POLICY = {
    "kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n", "step_separator": "\n",
    "max_tokens": 96, "max_step_tokens": 24,
}  # fmt: skip


def workflow(model: str, solutions: int, rollouts: int) -> dict[str, Any]:
    """One node that grows solutions and rolls out from every step."""
    collecting = {"kind": "step_rollouts", "solutions": solutions, "rollouts": rollouts, "depth": 6}
    return {
        "models": {"policy": {"kind": "embedded", "model": model, "slots": 16}},
        "nodes": {"collect": {"kind": "search", "algorithm": collecting, "policy": POLICY}},
    }


def training_chains(rng: random.Random, count: int) -> list[Chain]:
    """``count`` different chains, none of which is on the evaluation side."""
    chains: dict[str, Chain] = {}
    while len(chains) < count:
        chain = training_chain(rng, rng.choice([1, 2, 3, 3, 4, 5, 5]))
        chains[chain.text] = chain
    return list(chains.values())


def rows(result: Result, answer: str) -> Iterator[dict[str, Any]]:
    """A row a chain of steps: the first child of each node goes on with its chain, the others are rollouts."""
    tree = result.tree()
    for start in tree.successors("root"):
        steps, labels, node = [], [], start
        while node is not None:
            facts = tree.nodes[node]
            steps.append(facts["text"].rstrip("\n"))
            children = list(tree.successors(node))
            if facts["stop"] is not None:
                labels.append(float(facts["answer"] == answer))
                break
            rollouts = [tree.nodes[child]["answer"] for child in children if not child.endswith(".0")]
            labels.append(sum(found == answer for found in rollouts) / max(1, len(rollouts)))
            node = next((child for child in children if child.endswith(".0")), None)
        if all(steps):
            yield {"problem": tree.nodes["root"]["text"], "steps": steps, "labels": labels}


async def collect(options: argparse.Namespace) -> int:
    """Write the rows; returns how many."""
    chains, written = training_chains(random.Random(options.seed), options.problems), 0
    task = ArithmeticTask(chains)
    answers = {problem.id: str(chain.answer) for problem, chain in zip(task.problems(), chains, strict=True)}
    flow = workflow(options.policy, options.solutions, options.rollouts)
    settings: dict[str, Any] = {"seed": options.seed, "concurrency": 8, "out": options.out.with_suffix(".run")}
    with options.out.open("w", encoding="utf-8") as file:
        async for result in solve_iter(task, flow, **settings):
            for row in rows(result, answers[result.problem_id]):
                file.write(json.dumps(row) + "\n")
                written += 1
    return written


def main() -> None:
    """Collect and say how much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="arithmetic-policy", help="name or path of the policy's GGUF")
    parser.add_argument("--problems", type=int, default=2500)
    parser.add_argument("--solutions", type=int, default=4, help="chains of steps a problem")
    parser.add_argument("--rollouts", type=int, default=4, help="continuations a step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("labels.jsonl"))
    parser.add_argument("--smoke", action="store_true", help="twenty problems, to see that it works")
    options = parser.parse_args()
    if options.smoke:
        options.problems = 20
    print(f"{run_sync(collect(options))} rows in {options.out}")


if __name__ == "__main__":
    main()
