"""Batch: many problems, some at a time, each finished result handed out as soon as it is there.

1. Problems with a result on record are left out; nothing is done again.
2. Up to ``concurrency`` others are under way; the next one starts when one ends.
3. A result goes on record before it is handed out. A failed candidate never gets here; an error that does is
   our own bug, or the journal's, and stops the batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import replace

from branchwise.orchestrator.core.errors import JournalError, Suspended
from branchwise.orchestrator.core.events import ProblemFinished, ProblemStarted
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.together import leaves
from branchwise.orchestrator.engine.episode import Episode
from branchwise.orchestrator.engine.run import Run
from branchwise.orchestrator.journal.results import problem_json, result_json

Solve = Callable[[Episode], Awaitable[Result]]


async def run_batch(
    run: Run, problems: Iterator[Problem], solve: Solve, concurrency: int
) -> AsyncGenerator[Result, None]:
    """Results as they are finished. Suspended or JournalError end it early; what is on record stays."""
    done = run.journal.finished()
    landed: asyncio.Queue[Result | None] = asyncio.Queue()

    async def worker() -> None:
        for problem in problems:  # shared by all workers: each takes the next one
            if run.suspended:
                return
            if problem.id in done:
                continue
            try:
                landed.put_nowait(await _solve_one(run, problem, solve))
            except Suspended:  # the other problems' calls in flight come home first
                return

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(worker())
        finally:
            landed.put_nowait(None)

    working = asyncio.create_task(work())
    run.journal.on_failure = working.cancel
    try:
        while (result := await landed.get()) is not None:
            yield result
        await _outcome(working, run)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)  # what else it raises has nobody left to hear it


async def _solve_one(run: Run, problem: Problem, solve: Solve) -> Result:
    run.journal.write_start(problem.id, problem_json(problem, run.journal.content))
    run.notify(ProblemStarted(problem.id))
    started = run.journal.elapsed_seconds()
    episode = Episode(run, problem)
    async with episode.opened:
        solved = await solve(episode)
    result = replace(solved, seconds=run.journal.elapsed_seconds() - started)
    run.journal.write_result(problem.id, result_json(result, run.journal.content))
    run.notify(ProblemFinished(result))
    return result


async def _outcome(working: asyncio.Task[None], run: Run) -> None:
    """Raise what ended the work: the journal's failure, a suspension, or our own bug."""
    await asyncio.wait([working])
    if run.journal.failure is not None:
        raise run.journal.failure
    if working.cancelled():
        raise asyncio.CancelledError
    error = working.exception()
    if error is None:
        if run.suspended:
            raise Suspended(run.suspended)
        return
    errors = list(leaves(error))
    raise next((each for each in errors if not isinstance(each, JournalError)), errors[0])
