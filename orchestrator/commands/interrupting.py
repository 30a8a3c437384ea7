"""Interrupts: the first drains, the second stops at once, a third ends the process on the spot.

1. First SIGINT or SIGTERM: nothing more is sent; what is in flight comes home and goes on record.
2. Second: calls in flight are cancelled; what they are known to have used goes on record.
3. Third: the process ends. The journal is safe against that; the calls in flight are paid again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from branchwise.orchestrator.engine.run import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130


@contextmanager
def interruptible(run: Run, say: Callable[[str], object]) -> Iterator[None]:
    """Handle interrupts of the current task while the body runs."""
    loop, task, count = asyncio.get_running_loop(), asyncio.current_task(), 0

    def interrupted() -> None:
        nonlocal count
        count += 1
        if count == 1:
            say(f"stopping: {run.account.booked_calls} calls in flight may end; again to stop at once")
            run.suspend()
        elif count == 2 and task is not None:
            say("stopping at once")
            task.cancel()
        else:
            os._exit(INTERRUPTED)

    for number in SIGNALS:
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
