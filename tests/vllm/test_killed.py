"""`kill -9` of a server in mid-run: with two replicas it costs retries; with one the run waits until it is back.

The tests are in this order, since the last ones leave the spare server dead.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from branchwise.orchestrator.core.errors import ConfigError, Suspended
from branchwise.orchestrator.core.result import Result
from tests.vllm.server import Server
from tests.vllm.stories import BEAM, flow, right, solved

PROBLEMS = 48
WRITTEN_TOKENS = 200


def killed_in_mid_run(
    server: Server, run: Callable[[], list[Result]], then: Callable[[], None] = lambda: None
) -> list[Result]:
    """What the run brings, the server killed once it has written something for it; ``then`` follows at once."""
    before, over = server.metric("vllm:generation_tokens_total"), threading.Event()

    def kill() -> None:
        while server.metric("vllm:generation_tokens_total") < before + WRITTEN_TOKENS:
            if over.wait(0.02):
                return
        server.kill()
        then()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        return run()
    finally:
        over.set()
        killer.join()


def retries(run: Path) -> int:
    """How often a run had to send a call again, by its journal."""
    with closing(sqlite3.connect(run / "journal.sqlite")) as journal:
        (count,) = journal.execute("SELECT sum(calls - 1) FROM draws WHERE calls > 1").fetchone()
    return count or 0


def test_the_only_server_is_killed_and_started_again(spare: Server, note: list[str], tmp_path: Path) -> None:
    down = [0.0, 0.0]

    def again() -> None:
        down[0] = time.monotonic()
        spare.start()
        spare.wait()
        down[1] = time.monotonic()

    alone = flow(BEAM, spare, outage_seconds=600)
    results = killed_in_mid_run(spare, partial(solved, alone, problems=PROBLEMS, out=tmp_path), again)
    ended = time.monotonic()
    assert all(result.answer is not None for result in results)
    assert not any(result.failures for result in results)
    note.append(f"the only server killed in mid-run: back after {down[1] - down[0]:.0f} s, all {PROBLEMS} problems "
                f"answered {ended - down[1]:.1f} s later, {retries(tmp_path)} retries")  # fmt: skip


def test_one_of_two_replicas_is_killed(policy: Server, spare: Server, note: list[str], tmp_path: Path) -> None:
    both = flow(BEAM, policy)
    both["models"]["policy"] |= {"url": None, "urls": [policy.url, spare.url]}
    begun = time.monotonic()
    calm = solved(both, problems=PROBLEMS)
    usual, begun = time.monotonic() - begun, time.monotonic()
    results = killed_in_mid_run(spare, partial(solved, both, problems=PROBLEMS, out=tmp_path))
    took = time.monotonic() - begun
    assert all(result.answer is not None for result in results)
    assert not any(result.failures for result in results)
    assert retries(tmp_path) > 0
    note.append(f"one of two replicas killed in mid-run: all {PROBLEMS} problems answered in {took:.1f} s "
                f"({usual:.1f} s without), {right(results)} right ({right(calm)} without), "
                f"{retries(tmp_path)} retries")  # fmt: skip


def test_the_only_server_is_killed_and_stays_away(spare: Server, note: list[str], tmp_path: Path) -> None:
    """A run on record stops, to be gone on with; and none is begun while nobody is there."""
    spare.start()  # it is dead since the last test
    spare.wait()
    alone = flow(BEAM, spare, retries=1, outage_seconds=0.5)
    with pytest.raises(Suspended, match=f"{spare.url.removesuffix('/v1')} has been away") as stopped:
        killed_in_mid_run(spare, partial(solved, alone, problems=PROBLEMS, out=tmp_path / "run"))
    with pytest.raises(ConfigError, match="is the server started"):
        solved(alone, problems=2, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()
    note.append(f"the only server killed for good: {stopped.value}")
