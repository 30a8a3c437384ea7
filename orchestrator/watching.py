"""Watching: a run's events as an async iterator, results among them. What `solve_iter` does is told as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from branchwise.orchestrator.api import AnyWorkflow, Problems, solve_iter
from branchwise.orchestrator.core.events import Event


async def solve_events(problems: Problems, workflow: AnyWorkflow, **settings: Any) -> AsyncGenerator[Event, None]:
    """Every event of a run in order; ``ProblemFinished`` brings the results. Settings as of
    ``solve_iter``, but for ``on_event``.

    The run does not wait for whoever reads: what was not read yet is kept. Leaving the loop ends the run.
    """
    events: asyncio.Queue[Event | None] = asyncio.Queue()

    async def work() -> None:
        try:
            async with aclosing(solve_iter(problems, workflow, on_event=events.put_nowait, **settings)) as results:
                async for _ in results:
                    pass
        finally:
            events.put_nowait(None)

    working = asyncio.create_task(work())
    try:
        while (event := await events.get()) is not None:
            yield event
        await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)  # as in engine/batch.py: nobody is left to hear it
