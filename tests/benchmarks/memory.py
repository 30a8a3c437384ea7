"""Peak memory and CPU of a large batch over the scripted backend: 2,000 problems x 16 samples by default.

``python -m tests.benchmarks.memory [--problems N] [--samples N] [--json]``: megabytes are the process's peak
resident set, imports included; the results are kept in a list, trees stay in the run directory.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from branchwise import Request, ScriptedBackend, solve_batch_sync


def script(request: Request, seed: int) -> str:
    """An answer of some forty words, by the seed."""
    rng = random.Random(seed)
    return " ".join(f"w{rng.randrange(1000)}" for _ in range(40)) + f"\nThe answer is {rng.randrange(5)}"


def flow(samples: int) -> dict[str, Any]:
    """Best-of-N by a majority."""
    policy = {"kind": "solver", "model": "m", "prompt": "$problem", "style": "completion"}
    search = {"kind": "search", "algorithm": {"kind": "best_of_n", "n": samples}, "policy": policy}
    return {"models": {"m": {"kind": "scripted", "answers": ["x"]}}, "nodes": {"search": search}}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=2000)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        problems = [f"Problem {number}" for number in range(options.problems)]
        results = solve_batch_sync(
            problems,
            flow(options.samples),
            concurrency=32,
            out=Path(folder) / "run",
            backends={"m": ScriptedBackend(script)},
        )
    used = resource.getrusage(resource.RUSAGE_SELF)
    calls = sum(result.usage.calls for result in results)
    row = {
        "problems": options.problems,
        "samples": options.samples,
        "calls": calls,
        "answered": sum(result.answer is not None for result in results),
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_ms_per_call": round(1000 * (used.ru_utime + used.ru_stime) / calls, 3),
        "peak_megabytes": round(used.ru_maxrss / 1024, 1),
    }
    print(json.dumps(row) if options.json else "\n".join(f"{name:<16} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
