"""A long run in one process: 20,000 problems x 8 samples against a server without latency: memory and speed.

Neither should change once the run has warmed up: each problem's tree goes to the journal on disk, its answer is
handed out and forgotten. Growth and changes compare the last quarter with the quarter after the first tenth.

    python -m tests.benchmarks.long_run [--problems N] [--samples N] [--reward] [--plot FILE.svg] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from branchwise.orchestrator.api import solve_iter
from branchwise.orchestrator.core.problem import problem
from tests.benchmarks.line_plot import Line, Panel, drawn
from tests.benchmarks.server_process import ServerProcess, cpu_seconds
from tests.benchmarks.works import MODEL, POLICY, REWARD

MEGABYTE = 2**20
PAGE_FILE = Path("/proc/self/statm")


@dataclass(frozen=True)
class Point:
    """After so many problems: memory now, and what the problems since the last point took."""

    problems: int
    megabytes: float
    problems_per_second: float
    cpu_ms_per_problem: float
    journal_megabytes: float


def megabytes() -> float:
    """This process's memory as it is now (Linux)."""
    return int(PAGE_FILE.read_text().split()[1]) * resource.getpagesize() / MEGABYTE


def flow(url: str, samples: int, reward: bool) -> dict[str, Any]:
    """Best-of-N, by majority or by a reward."""
    search = {"kind": "search", "algorithm": {"kind": "best_of_n", "n": samples}, "policy": POLICY}
    if reward:
        search["reward"] = REWARD
    return {"models": {"m": MODEL | {"url": url}}, "nodes": {"search": search}}


async def curve(url: str, problems: int, samples: int, reward: bool, every: int) -> list[Point]:
    """A point for every so many problems, as they are answered."""
    points, answered, before = list[Point](), 0, (time.perf_counter(), cpu_seconds())
    with tempfile.TemporaryDirectory() as folder:
        given = [problem(f"problem {number}", f"problem-{number}") for number in range(problems)]
        async for result in solve_iter(given, flow(url, samples, reward), concurrency=32, out=Path(folder, "run")):
            assert result.answer is not None
            answered += 1
            if answered % every == 0:
                now = time.perf_counter(), cpu_seconds()
                wall, cpu = now[0] - before[0], now[1] - before[1]
                journal = sum(file.stat().st_size for file in Path(folder, "run").iterdir()) / MEGABYTE
                points.append(Point(answered, megabytes(), every / wall, 1000 * cpu / every, journal))
                print(points[-1], file=sys.stderr)
                before = now
    return points


def summary(points: Sequence[Point]) -> dict[str, float]:
    """The last quarter against the one after the first tenth."""
    first = len(points) // 10
    early, late = points[first : first + max(1, len(points) // 4)], points[-max(1, len(points) // 4) :]

    def change(field: str) -> float:
        one, other = (statistics.fmean(getattr(point, field) for point in part) for part in (early, late))
        return other / one

    return {
        "growth_of_memory": change("megabytes"),
        "change_of_problems_per_second": change("problems_per_second"),
        "change_of_cpu_per_problem": change("cpu_ms_per_problem"),
    }


def plotted(points: Sequence[Point]) -> str:
    """Memory and speed over the problems, as SVG."""

    def panel(title: str, field: str) -> Panel:
        line = Line("", [(point.problems / 1000, getattr(point, field)) for point in points])
        return Panel(title, "thousand problems", [line], (0.0,))

    return drawn([panel("megabytes", "megabytes"), panel("problems a second", "problems_per_second")], "")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--every", type=int, default=1000, help="problems between two points")
    parser.add_argument("--reward", action="store_true", help="with a score for each sample: twice the calls")
    parser.add_argument("--plot", type=Path, help="write the figure here")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    with ServerProcess(tells_stop=1) as server:
        points = uvloop.run(curve(server.url, options.problems, options.samples, options.reward, options.every))
    if options.plot:
        options.plot.write_text(plotted(points), encoding="utf-8")
    if options.json:
        print(json.dumps({"points": [asdict(point) for point in points]} | summary(points)))
        return
    print("| problems | MB | problems a second | CPU ms a problem | journal MB |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for point in points:
        print(f"| {point.problems:,} | {point.megabytes:.1f} | {point.problems_per_second:.1f} | "
              f"{point.cpu_ms_per_problem:.2f} | {point.journal_megabytes:.1f} |")  # fmt: skip
    for name, value in summary(points).items():
        print(f"{name.replace('_', ' ')}: {value:.3f}")


if __name__ == "__main__":
    main()
