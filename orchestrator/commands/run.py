"""`branchwise run` and `branchwise resume`: solve a task's problems, show progress, end with table and page."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from itertools import islice
from pathlib import Path

import uvloop

from branchwise.orchestrator.commands.ending import finish
from branchwise.orchestrator.commands.interrupting import interruptible
from branchwise.orchestrator.commands.preparing import checked, portable, predicted, task_of, workflow_of
from branchwise.orchestrator.commands.progress import shown
from branchwise.orchestrator.core.errors import ConfigError, JournalError, Suspended
from branchwise.orchestrator.core.roles import Task
from branchwise.orchestrator.journal.manifest import PLAN_FILE, Manifest
from branchwise.orchestrator.journal.reader import recorded
from branchwise.orchestrator.session import Settings, open_session
from branchwise.orchestrator.workflow.load import Loaded, read_workflow

RUNS = Path("runs")


def run(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Start a new run."""
    out: Path | None = arguments.out
    if out is not None and (out / PLAN_FILE).exists():
        raise ConfigError(f"{out} holds a run already: go on with it by `branchwise resume {out}`, or choose another")
    loaded = workflow_of(arguments, environment)
    task = task_of(arguments.tasks, arguments.limit, arguments.seed)
    predicted(loaded, task, ())
    settings = Settings(
        seed=arguments.seed,
        concurrency=arguments.concurrency,
        out=out or fresh_directory(loaded.workflow.name),
        reuse=tuple(arguments.reuse),
        limit=arguments.limit,
        replay=arguments.replay,
        task_name=portable(arguments.tasks),
        problem_count=_count(task, arguments.limit),
    )
    return conduct(loaded, task, settings, as_json=arguments.json)


def resume(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Go on with a run; of a finished one, show the result."""
    directory: Path = arguments.directory
    with recorded(directory) as journal:
        manifest, finished = journal.manifest, {result.problem_id for result in journal.results()}
    if manifest.task is None:
        raise ConfigError(f"{directory} was started from Python, with problems of its own: go on with it there")
    task = task_of(manifest.task, manifest.limit, manifest.seed)
    if all(problem.id in finished for problem in islice(task.problems(), manifest.limit)):
        return finish(directory, as_json=arguments.json)
    loaded = recorded_workflow(manifest, environment)
    settings = Settings(
        seed=manifest.seed,
        concurrency=arguments.concurrency or manifest.concurrency,
        out=directory,
        limit=manifest.limit,
        task_name=manifest.task,
        problem_count=_count(task, manifest.limit),
    )
    return conduct(loaded, task, settings, as_json=arguments.json)


def recorded_workflow(manifest: Manifest, environment: Mapping[str, str]) -> Loaded:
    """The workflow that a run was started with, ``${NAME}`` filled in anew."""
    loaded = read_workflow(manifest.plan, environment, Path(manifest.directory), manifest.source)
    return checked(loaded, environment)


def conduct(loaded: Loaded, task: Task, settings: Settings, *, as_json: bool) -> int:
    """Run to the end and show the result. Suspended and JournalError say how to go on."""
    directory = settings.out
    assert directory is not None
    on_the_way = f"go on with it by `branchwise resume {directory}`"
    try:
        uvloop.run(solve_into(loaded, task, settings, loaded.workflow.name))
    except Suspended as stopped:
        raise Suspended(f"{stopped}; what was paid for is kept: {on_the_way}") from None
    except JournalError as error:
        told = str(error).replace("`branchwise resume`", f"`branchwise resume {directory}`")
        raise JournalError(told if told != str(error) or settings.replay else f"{told}; {on_the_way}") from error
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise Suspended(f"stopped at once; what had arrived is kept: {on_the_way}") from None
    return finish(directory, as_json=as_json)


def fresh_directory(name: str) -> Path:
    """runs/NAME-TIME, where nothing is yet."""
    base = RUNS / f"{''.join(c if c.isalnum() or c in '-_.' else '-' for c in name)}-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = (base, *(base.with_name(f"{base.name}-{number}") for number in range(2, 1000)))
    return next(path for path in candidates if not path.exists())


def _count(task: Task, limit: int | None) -> int:
    return sum(1 for _ in islice(task.problems(), limit))


async def solve_into(loaded: Loaded, task: Task, settings: Settings, title: str) -> None:
    """Solve, or go on solving, into the run directory of the settings, with progress under ``title``."""
    async with open_session(loaded, task, settings) as session:
        run = session.run
        async with shown(title, settings.problem_count or 0, run.account) as progress:
            for note in session.notes:
                progress.say(note)
            with interruptible(run, progress.say):
                async with aclosing(session.results()) as results:
                    async for result in results:
                        progress.landed(result)
