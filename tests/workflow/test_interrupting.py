"""The Python API over a backend: what it refuses before it spends, and that an interrupted run spends no more."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest

from branchwise.orchestrator.api import run_sync, solve_batch, solve_batch_sync
from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.session import Settings
from tests.engine.flows import flow

TWO = {"kind": "best_of_n", "n": 2}


@pytest.mark.parametrize("limit", [-1, 0, "3", 2.5])
async def test_a_limit_that_is_none_is_refused(limit: Any) -> None:
    with pytest.raises(ConfigError, match="limit is a whole number of at least 1"):
        await solve_batch(["a"], flow(TWO, reward=False), limit=limit)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": None}, {"concurrency": 0}, {"concurrency": "8"}])
def test_so_are_other_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is a whole number of at least"):
        Settings(**wrong)


def test_interrupting_a_cell_of_a_notebook_cancels_what_it_runs() -> None:
    def seconds(request: Request, seed: int) -> float:
        if backend.calls == 2:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return 2.0

    async def cell() -> None:
        with pytest.raises(KeyboardInterrupt):
            solve_batch_sync(["a", "b"], flow(TWO, reward=False), concurrency=1, backends={"m": backend})
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("branchwise")]

    backend = ScriptedBackend(lambda request, seed: "1", delay=seconds)
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(cell())
    finally:
        loop.close()
        signal.signal(signal.SIGINT, usual)
    assert (backend.calls, backend.cancelled) == (2, 2)


async def test_within_a_loop_results_and_errors_are_given_back() -> None:
    async def told(what: int) -> int:
        await asyncio.sleep(0)
        return 6 // what

    assert run_sync(told(2)) == 3
    with pytest.raises(ZeroDivisionError):
        run_sync(told(0))
