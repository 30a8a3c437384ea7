"""A run that may be killed at any moment: a vote that stops early, then a beam search, over a real server.

``python -m tests.stories.killable URL DIR`` starts it, or goes on with it.
"""

from __future__ import annotations

import sys
from typing import Any

from branchwise.orchestrator.api import solve_batch_sync

IN_FLIGHT = 8


def workflow(url: str) -> dict[str, Any]:
    """Two searches one after the other; every draw of a third of the prompts fails once before it works."""
    model = {
        "kind": "openai",
        "url": url,
        "model": "m",
        "max_in_flight": IN_FLIGHT,
        "capabilities": CAPABLE,
        "keeps_stop": True,
    }
    policy = {"kind": "solver", "model": "m", "prompt": "$problem", "style": "completion"}
    steps = {**policy, "final": "answer is"}
    reward = {"kind": "label_token", "model": "m", "good": "Yes", "bad": "No", "reducer": "mean", "alternatives": 2}
    vote = {"kind": "best_of_n", "n": 9, "stop": "decided"}
    beam = {"kind": "beam", "width": 2, "expansions": 3, "depth": 4}
    return {
        "models": {"m": model},
        "nodes": {
            "vote": {"kind": "search", "algorithm": vote, "policy": policy, "next": "beam"},
            "beam": {"kind": "search", "algorithm": beam, "policy": steps, "reward": reward, "select": "weighted"},
        },
    }


CAPABLE = {"logprobs": True, "knows_stop": True}


def main(url: str, directory: str) -> None:
    """Solve six problems into a run directory."""
    solve_batch_sync([f"Problem {n}" for n in range(6)], workflow(url), seed=3, concurrency=3, out=directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
