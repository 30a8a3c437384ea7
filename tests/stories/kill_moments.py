"""Kill -9 at random moments, resume, compare: the same answers, trees and decisions, no draw paid twice.

``python -m tests.stories.kill_moments --moments 40`` prints a line a moment and fails at the first difference.
The ordinary tests do a few moments, the live ones forty.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stories.killable import IN_FLIGHT

BEHAVIOUR = ["--latency", "0.02", "--sigma", "0.6", "--fail", "0.3", "--fail-by", "attempt", "--tells-stop", "1"]


@dataclass(frozen=True)
class Record:
    """What a run directory says, without times and without what cancelled branches happened to have used."""

    decisions: list[tuple[Any, ...]]
    results: dict[str, Any]


def read(directory: Path) -> Record:
    """The record of a finished run."""
    db = sqlite3.connect(directory / "journal.sqlite")
    decisions = db.execute(
        "SELECT problem, node, seq, kind, payload FROM decisions WHERE kind != 'settle' ORDER BY problem, node, seq"
    ).fetchall()
    results = {
        problem: json.loads(payload) for problem, payload in db.execute("SELECT problem, payload FROM results")
    }
    db.close()
    for result in results.values():
        del result["seconds"], result["cancelled"]
    return Record(decisions, results)


class Subject:
    """The server that counts, and the runs against it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.server", "--port", "0", *BEHAVIOUR]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        self._base = f"http://127.0.0.1:{int(self._server.stdout.readline())}"

    def close(self) -> None:
        """Stop the server."""
        self._server.kill()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()

    def stats(self) -> dict[str, Any]:
        """What the server saw since the last reset."""
        with urllib.request.urlopen(f"{self._base}/stats") as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen

    def reset(self) -> None:
        """Let the server forget."""
        urllib.request.urlopen(f"{self._base}/reset", data=b"").close()

    def start(self, directory: Path) -> subprocess.Popen[bytes]:
        """Start or go on with the run."""
        command = [sys.executable, "-m", "tests.stories.killable", f"{self._base}/v1", str(directory)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def finish(self, directory: Path) -> float:
        """Let it run to its end; seconds taken."""
        started = time.monotonic()
        assert self.start(directory).wait(timeout=100) == 0
        return time.monotonic() - started

    def kill_after(self, directory: Path, calls: int, extra_seconds: float) -> int:
        """Kill it once the server has seen so many calls, a moment later; calls seen by then."""
        run = self.start(directory)
        while run.poll() is None and self.stats()["calls"] < calls:
            time.sleep(0.002)
        time.sleep(extra_seconds)
        run.kill()
        run.wait()
        return int(self.stats()["calls"])


def check(moments: int, seed: int) -> list[str]:
    """Kill and resume ``moments`` times over; a line for each. AssertionError where anything differs."""
    rng, lines, subject = random.Random(seed), [], Subject()
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder, "undisturbed")
            subject.finish(whole)
            expected, calls, done = read(whole), subject.stats()["calls"], 0
            while done < moments:
                subject.reset()
                directory = Path(folder, f"killed-{done}")
                kills = min(rng.choice([1, 1, 2, 3]), moments - done)
                seen = [
                    subject.kill_after(directory, rng.randrange(1, calls), rng.random() * 0.03) for _ in range(kills)
                ]
                subject.finish(directory)
                stats = subject.stats()
                assert read(directory) == expected, f"killed at calls {seen}: another result"
                assert stats["duplicates"] <= kills * IN_FLIGHT, f"{stats['duplicates']} draws were paid twice"
                done += kills
                lines.append(
                    f"killed at calls {seen} of {calls}: same tree; draws answered twice: {stats['duplicates']}"
                )
                print(lines[-1], flush=True)
    finally:
        subject.close()
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    check(options.moments, options.seed)
