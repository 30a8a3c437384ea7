"""Searches against the floor: a bare asyncio client that sends the same requests under the same limit.

The server (tests/server.py) answers after a fixed latency, or one with log-normal stragglers, by prompt and seed
alone, in a process of its own. The works are in works.py: best-of-N, beam search, and MCTS with 1, 4 and 8 leaves
under way, told in ticket order or in order of arrival; one request a draw and one a score, journal on disk. Search
and floor alternate; medians over the pairs.

    python -m tests.benchmarks.search_floor [--works mcts] [--pairs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.floor_client import with_floor
from tests.benchmarks.server_process import ServerProcess, Timing
from tests.benchmarks.works import BEST_OF_8, EXPANSIONS, WORKS, Work, floor, kept, mcts, solved

UNLIMITED = 100_000


@dataclass(frozen=True)
class Row:
    """Medians of one work under one limit. ``kept``: the fewest expansions that a tree has kept."""

    work: str
    limit: int
    fail: float
    wall_seconds: float
    floor_seconds: float
    ratio: float
    peak: int
    requests: int
    answered: int
    cpu_ms_per_call: float
    floor_cpu_ms_per_call: float
    kept: int | None


@dataclass(frozen=True)
class Pair:
    """The search and the floor on the same problems."""

    ours: Timing
    floor: Timing
    answered: int
    kept: int | None

    @property
    def ratio(self) -> float:
        """How much longer the search took."""
        return self.ours.wall_seconds / self.floor.wall_seconds


def compare(server: ServerProcess, work: Work, limit: int, fail: float, pairs: int) -> Row:
    """The search and the floor in turn; medians."""
    server.behave(sigma=work.sigma, fail=fail)
    ran = [one_pair(server, work, limit or UNLIMITED, number) for number in range(pairs)]
    ours, floors = [pair.ours for pair in ran], [pair.floor for pair in ran]
    return Row(
        work.name, limit, fail,
        statistics.median(each.wall_seconds for each in ours),
        statistics.median(each.wall_seconds for each in floors),
        statistics.median(pair.ratio for pair in ran),
        max(each.peak for each in ours), ours[0].requests, min(pair.answered for pair in ran),
        1000 * statistics.median(each.cpu_seconds / each.requests for each in ours),
        1000 * statistics.median(each.cpu_seconds / each.requests for each in floors),
        min((pair.kept for pair in ran if pair.kept is not None), default=None),
    )  # fmt: skip


def one_pair(server: ServerProcess, work: Work, limit: int, number: int) -> Pair:
    """The search, then the floor."""
    names = work.names(number)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        results, ours = server.measure(lambda: solved(work, names, server.url, limit, out))
        _, least = server.measure(lambda: with_floor(server.url, limit, lambda c: floor(work, c, names, results)))
        keeps = min(map(kept, results)) if work.leaves else None
    return Pair(ours, least, sum(result.answer is not None for result in results), keeps)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds a call")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs")
    parser.add_argument("--limits", help="calls in flight, such as 32,0; 0: unlimited; default: each work's own")
    parser.add_argument("--fail", type=float, default=0.0, help="share of requests answered with HTTP 500")
    parser.add_argument("--works", default="", help="only those whose name has this in it: " + "; ".join(WORKS))
    options = parser.parse_args()
    chosen = [work for work in WORKS.values() if options.works in work.name]
    given = options.limits and [int(limit) for limit in options.limits.split(",")]
    with ServerProcess(latency=options.latency, tells_stop=1) as server:
        compare(server, BEST_OF_8, 0, 0.0, 1)  # imports, first connections
        rows = [
            compare(server, work, limit, options.fail, options.pairs)
            for work in chosen
            for limit in given or work.limits
        ]
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{options.latency * 1000:.0f} ms a call, {options.pairs} pairs, HTTP 500: {options.fail:.0%}")
    print("\n".join([*table(rows), *remarks(rows)]))


def table(rows: Sequence[Row]) -> list[str]:
    """A line a row."""
    width = max(len(row.work) for row in rows)
    lines = [f"{'work':<{width}} {'limit':>5} {'wall s':>7} {'floor s':>7} {'ratio':>6} {'peak':>4} {'requests':>8} "
             f"{'answered':>8} {'cpu ms':>6} {'floor':>6} {'kept':>5}"]  # fmt: skip
    for row in rows:
        lines.append(f"{row.work:<{width}} {row.limit or 'none':>5} {row.wall_seconds:7.2f} {row.floor_seconds:7.2f} "
                     f"{row.ratio:6.3f} {row.peak:4} {row.requests:8} {row.answered:8} {row.cpu_ms_per_call:6.3f} "
                     f"{row.floor_cpu_ms_per_call:6.3f} {row.kept if row.kept is not None else '':>5}")  # fmt: skip
    return lines


def remarks(rows: Sequence[Row]) -> list[str]:
    """How much faster several leaves are, and what telling in ticket order costs under stragglers."""
    walls, lines = {row.work: row.wall_seconds for row in rows}, list[str]()
    for row in rows:
        work = WORKS[row.work]
        one = mcts(1, work.commit, work.sigma).name
        if work.leaves > 1 and one in walls:
            faster = walls[one] / row.wall_seconds
            lines.append(f"{row.work}: {faster:.2f} x faster than one leaf, {row.kept} of {EXPANSIONS} kept")
        arrival = mcts(work.leaves, "arrival", work.sigma).name
        if work.sigma and work.commit == "ticket" and arrival in walls:
            lines.append(f"{row.work}: order costs {row.wall_seconds / walls[arrival] - 1:.0%}")
    return lines


if __name__ == "__main__":
    main()
