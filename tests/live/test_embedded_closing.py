"""An engine that is closed as soon as it was opened, beside others that keep the core busy: it must not hang."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live

OPEN_AND_CLOSE = """
import asyncio
from branchwise.orchestrator.backends import embedded

async def main():
    for _ in range(100):
        await embedded.build(embedded.Options(model="arithmetic-policy")).aclose()

asyncio.run(main())
"""
PROCESSES = 4


def one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_an_engine_closed_at_once_on_a_busy_core_ends() -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", OPEN_AND_CLOSE], preexec_fn=one_core) for _ in range(PROCESSES)
    ]
    try:
        assert [each.wait(timeout=100) for each in running] == [0] * PROCESSES
    finally:
        for each in running:
            each.kill()
            each.wait()
