"""What a bad server costs: HTTP 500, hung connections, half JSON documents, a restart in mid-run; answers and damage.

Best-of-N, beam search and MCTS (works.py) under a limit on the calls in flight. Damage is counted by the boundary
that broke: ``backend`` is a draw that was lost, ``reward`` a score. With retries next to nothing is lost; the last
scenario has none, so that every fault shows. That no slot is held in back-off is tests/stories/test_faults.py's.

    python -m tests.benchmarks.faults [--works mcts] [--latency SECONDS] [--json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.server_process import ServerProcess
from tests.benchmarks.works import ALL, BEST_OF_8, Work, mcts, solved

LIMIT, RETRIES, SILENCE_SECONDS = 32, 8, 1.0
WORKS = [BEST_OF_8, ALL[1], mcts(8, "ticket"), mcts(8, "arrival")]
EVERYTHING = {"fail": 0.2, "hang": 0.05, "malformed": 0.02}


@dataclass(frozen=True)
class Scenario:
    """How the server behaves, how often a call is tried again, and whether the server goes away in mid-run."""

    name: str
    behaviour: dict[str, float] = field(default_factory=dict)
    retries: int = RETRIES
    restarts: bool = False


SCENARIOS = [
    Scenario("none"),
    Scenario("20 % HTTP 500", {"fail": 0.2}),
    Scenario("5 % hung", {"hang": 0.05}),
    Scenario("2 % malformed", {"malformed": 0.02}),
    Scenario("all of these", EVERYTHING),
    Scenario("all, and a restart", EVERYTHING, restarts=True),
    Scenario("all, no retries", EVERYTHING, retries=0),
]


@dataclass(frozen=True)
class Row:
    """One work in one scenario."""

    work: str
    scenario: str
    problems: int
    answered: int
    wall_seconds: float
    requests: int
    useless: int
    peak: int
    damage: dict[str, int]


@dataclass
class Tally:
    """What servers saw that are no more."""

    seen: Counter[str] = field(default_factory=Counter)
    peak: int = 0

    def add(self, stats: dict[str, Any]) -> None:
        """Add what one server saw."""
        self.peak = max(self.peak, stats["peak"])
        self.seen.update({name: stats[name] for name in ("calls", "failed", "disconnects")})


@contextmanager
def restarted(server: ServerProcess, tally: Tally, after_answers: int, away_seconds: float) -> Iterator[None]:
    """Meanwhile the server is killed once it has answered so often, and comes back on its port."""

    def work() -> None:
        while (stats := server.stats())["answered"] < after_answers:
            time.sleep(0.01)
        tally.add(stats)
        server.kill()
        time.sleep(away_seconds)
        server.start()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def measured(work: Work, scenario: Scenario, latency: float, away_seconds: float) -> Row:
    """One work in one scenario, against a server of its own."""
    options = {"retries": scenario.retries, "first_byte_timeout_seconds": SILENCE_SECONDS}
    names, tally = work.names(0), Tally()
    with (
        ServerProcess(latency=latency, tells_stop=1, **scenario.behaviour) as server,
        tempfile.TemporaryDirectory() as f,
    ):

        async def run() -> Any:
            return await solved(work, names, server.url, LIMIT, Path(f, "run"), **options)

        if scenario.restarts:
            with restarted(server, tally, 100, away_seconds):
                results, timing = server.measure(run)
        else:
            results, timing = server.measure(run)
        tally.add(server.stats())
    seen = tally.seen
    return Row(
        work.name, scenario.name, len(names), sum(result.answer is not None for result in results),
        timing.wall_seconds, seen["calls"], seen["failed"] + seen["disconnects"], tally.peak,
        dict(Counter(failure.boundary for result in results for failure in result.failures)),
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds a call")
    parser.add_argument("--away", type=float, default=2.0, help="seconds that a restart takes")
    parser.add_argument("--works", default="", help="only those whose name has this in it")
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    options = parser.parse_args()
    chosen = [work for work in WORKS if options.works in work.name]
    rows = [measured(work, each, options.latency, options.away) for work in chosen for each in SCENARIOS]
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print("| work | faults | answered | wall s | requests | useless | peak | damage |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for row in rows:
        damage = ", ".join(f"{count} {boundary}" for boundary, count in sorted(row.damage.items())) or "none"
        print(f"| {row.work} | {row.scenario} | {row.answered} of {row.problems} | {row.wall_seconds:.1f} | "
              f"{row.requests:,} | {row.useless:,} | {row.peak} | {damage} |")  # fmt: skip


if __name__ == "__main__":
    main()
