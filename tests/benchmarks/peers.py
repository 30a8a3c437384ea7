"""Other libraries on the works of ``search_floor.py``, beside Branchwise and the floor, against the same server.

What they do is in peer_works: best-of-8 x 40, beam search 4 x 4 x 6 x 20, MCTS 32 x 10, as far as a library has it.
Each run has a process of its own and is timed without its imports; its floor is the bare client with the same leaves
under way and the same limit, right after it. A library that is missing is listed as such. Libraries may be installed
in other environments, one or several:

    python -m tests.benchmarks.peers [--python PATH/bin/python ...] [--latency SECONDS] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from branchwise.orchestrator.core.result import Result
from tests.benchmarks import peer_works
from tests.benchmarks.floor_client import with_floor
from tests.benchmarks.peer_works.measuring import BEAM, BEST_OF_8, MCTS
from tests.benchmarks.search_floor import UNLIMITED, compare
from tests.benchmarks.search_floor import Row as FloorRow
from tests.benchmarks.server_process import ServerProcess
from tests.benchmarks.works import WORKS, Work, floor, mcts, solved

MISSING = "not installed"
TIMEOUT_SECONDS = 300
SETTINGS = [(BEST_OF_8, 1, 32), (BEST_OF_8, 1, 0), (BEAM, 1, 0), (MCTS, 1, 0), (MCTS, 8, 0)]
"""Work, leaves under way, limit of Branchwise's rows and of the floors."""


@dataclass(frozen=True)
class Row:
    """One work by one client."""

    client: str
    work: str
    how: str
    wall_seconds: float | None = None
    floor_seconds: float | None = None
    ratio: float | None = None
    peak: int | None = None
    requests: int | None = None
    cpu_ms_per_call: float | None = None
    kept: int | None = None


@dataclass(frozen=True)
class Peer:
    """A library, the Python that has it, and what it can do; without a Python it is missing."""

    name: str
    module: str
    python: str | None = None
    runs: tuple[dict[str, Any], ...] = ()


def peers(pythons: Sequence[str]) -> Iterator[Peer]:
    """Every file of peer_works, with the first Python that can import its library."""
    for file in sorted(Path(peer_works.__file__).parent.glob("*.py")):
        if file.stem not in ("__init__", "measuring"):
            yield _peer(file.stem, pythons)


def _peer(name: str, pythons: Sequence[str]) -> Peer:
    module = f"{peer_works.__name__}.{name}"
    for python in pythons:
        listed = subprocess.run([python, "-m", module], capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            told = json.loads(listed.stdout.splitlines()[-1])
            return Peer(told["peer"], module, python, tuple(told["runs"]))
    return Peer(name, module)


def work_of(name: str, leaves: int) -> Work:
    """The work by its name; of MCTS the one with so many leaves."""
    return mcts(leaves, "ticket") if name == MCTS else WORKS[name]


def ours(name: str, leaves: int, limit: int, row: FloorRow) -> Row:
    """Branchwise's row, with the floor beside it."""
    how = f"limit {limit or 'none'}" + (f", leaves under way: {leaves}" if name == MCTS else "")
    return Row("Branchwise", name, how, row.wall_seconds, row.floor_seconds, row.ratio, row.peak, row.requests,
               row.cpu_ms_per_call, row.kept)  # fmt: skip


class Floors:
    """The bare client's work, for each of the settings."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._results: dict[str, list[Result]] = {}

    def seconds(self, work: Work, limit: int) -> float:
        """Once, now."""
        names, url, most = work.names(0), self._server.url, limit or UNLIMITED
        if work.name not in self._results:  # a tree's calls are those that the search has made
            self._results[work.name] = uvloop.run(solved(work, names, url, UNLIMITED))
        results = self._results[work.name]
        _, took = self._server.measure(lambda: with_floor(url, most, lambda c: floor(work, c, names, results)))
        return took.wall_seconds


def theirs(server: ServerProcess, floors: Floors, peer: Peer, number: int, repeats: int) -> Row:
    """One run of a peer, each time with its floor: medians of the repeats, or what went wrong."""
    run, took, least = peer.runs[number], list[dict[str, Any]](), list[float]()
    url = server.url.replace("localhost", "127.0.0.1")
    for _ in range(repeats):
        server.reset()
        command = [str(peer.python), "-m", peer.module, url, str(number)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            return Row(peer.name, run["work"], f"{run['how']}: no end in {TIMEOUT_SECONDS} s")
        except subprocess.CalledProcessError as error:
            return Row(peer.name, run["work"], f"{run['how']}: {error.stderr.strip()[-100:]}")
        took.append(json.loads(done.stdout.splitlines()[-1]) | server.stats())
        least.append(floors.seconds(work_of(run["work"], run["leaves"]), run["limit"]))
    last, walls = took[-1], [one["wall_seconds"] for one in took]
    return Row(
        peer.name, run["work"], run["how"], statistics.median(walls), statistics.median(least),
        statistics.median(wall / least for wall, least in zip(walls, least, strict=True)),
        last["peak"], last["calls"],
        1000 * statistics.median(one["cpu_seconds"] / one["calls"] for one in took), last["kept"],
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="a Python that has libraries; may be repeated")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds a call")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--works", default="", help="only those whose name has this in it")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    options = parser.parse_args()
    found = list(peers([*options.python, sys.executable]))
    with ServerProcess(latency=options.latency, tells_stop=1, draws_anew=1) as server:
        rows = measured(server, found, options.works, options.repeats)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print("\n".join(table(rows)))


def measured(server: ServerProcess, found: Sequence[Peer], works: str, repeats: int) -> list[Row]:
    """Branchwise's rows, then the peers'."""
    compare(server, WORKS[BEST_OF_8], 0, 0.0, 1)  # imports, first connections
    floors, chosen = Floors(server), [setting for setting in SETTINGS if works in setting[0]]
    rows = [
        ours(name, leaves, limit, compare(server, work_of(name, leaves), limit, 0.0, repeats))
        for name, leaves, limit in chosen
    ]
    for peer in found:
        if peer.python is None:
            rows.append(Row(peer.name, "", MISSING))
        for number, run in enumerate(peer.runs):
            if works in run["work"]:
                rows.append(theirs(server, floors, peer, number, repeats))
                print(rows[-1], file=sys.stderr)
    order = [BEST_OF_8, BEAM, MCTS, ""]
    return sorted(rows, key=lambda row: order.index(row.work))


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown."""
    lines = ["| work | client | how | wall s | floor s | ratio | peak | requests | CPU ms a call | kept |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for row in rows:
        figures = [shown(row.wall_seconds, ".2f"), shown(row.floor_seconds, ".2f"), shown(row.ratio, ".2f"),
                   shown(row.peak, "d"), shown(row.requests, ",d"), shown(row.cpu_ms_per_call, ".2f"),
                   shown(row.kept, "d")]  # fmt: skip
        lines.append(f"| {row.work} | {row.client} | {row.how} | {' | '.join(figures)} |")
    return lines


def shown(figure: float | None, form: str) -> str:
    """A figure, or nothing where there is none."""
    return "" if figure is None else format(figure, form)


if __name__ == "__main__":
    main()
