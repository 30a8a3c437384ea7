"""What a peer's file has in common with the others: its works, and how one of them is measured."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

BEST_OF_8, BEAM, MCTS = "best-of-8 x 40", "beam 4x4x6 x 20", "mcts 32 x 10"
EXPANSIONS = 32


@dataclass(frozen=True)
class Took:
    """What a run took, where it measures itself: its search runs in another process."""

    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Run:
    """A work, how it is done, and what does it, given the server's base address.

    What it returns says how many expansions a tree has kept, where that is known. ``leaves``: under way in one tree;
    ``limit``: calls in flight that it allows itself, 0 without one.
    """

    work: str
    how: str
    go: Callable[[str], int | Took | None]
    leaves: int = 1
    limit: int = 0


def main(distribution: str, runs: Sequence[Run]) -> None:
    """List the runs, or do the one that is asked for, and print what it took."""
    if len(sys.argv) < 3:
        listed = [{"work": run.work, "how": run.how, "leaves": run.leaves, "limit": run.limit} for run in runs]
        print(json.dumps({"peer": f"{distribution} {version(distribution)}", "runs": listed}))
        return
    url, number = sys.argv[1], int(sys.argv[2])
    before, started = _cpu_seconds(), time.perf_counter()
    came = runs[number].go(url)
    took = came if isinstance(came, Took) else Took(time.perf_counter() - started, _cpu_seconds() - before)
    print(json.dumps(asdict(took) | {"kept": came if isinstance(came, int) else None}))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def asked(text: str) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def judging(text: str) -> dict[str, Any]:
    """The body of a request for a score in [0, 1]."""
    return asked(f"Score the following: {text[-200:]}")


def said(answer: dict[str, Any]) -> str:
    """What the model said."""
    return str(answer["choices"][0]["message"]["content"])
