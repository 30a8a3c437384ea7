"""Solve a batch of problems and print each result as soon as it is there.

python examples/solve_batch.py
"""

from __future__ import annotations

import asyncio

from branchwise import Budget, load_task, solve_iter

POLICY = {
    "kind": "solver",
    "model": "tiny",
    "style": "completion",
    "prompt": "$problem\n",
    "step_separator": "\n",
    "max_step_tokens": 24,
    "max_tokens": 96,
}
BEAM = {"kind": "beam", "width": 2, "expansions": 4, "depth": 5}
SEARCH = {"kind": "search", "algorithm": BEAM, "policy": POLICY, "reward": {"kind": "calculator"}}
WORKFLOW = {"models": {"tiny": {"kind": "embedded", "model": "arithmetic-policy"}}, "nodes": {"answer": SEARCH}}


async def main() -> None:
    """Twenty problems, at most 4,000 tokens each."""
    problems = load_task("arithmetic:steps=3", seed=7, limit=20)
    budget = Budget.model_validate({"problem": {"tokens": 4000}})
    right = 0.0
    async for result in solve_iter(problems, WORKFLOW, seed=7, budget=budget):
        right += (result.grade.correct or 0.0) if result.grade else 0.0
        print(result.problem_id, result.answer, result.stop, result.usage.tokens, "tokens")
    print(f"right: {right:.0f} of 20")


if __name__ == "__main__":
    asyncio.run(main())
