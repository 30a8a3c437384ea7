"""The Python API: solve a problem, a batch, or take results as they are finished. Async first.

The sync forms run their own event loop in a thread of its own, so they work in a notebook too; interrupting them
there cancels what they run. The process's environment is asked one thing only: where pulled models lie.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from pydantic import ValidationError

from branchwise.orchestrator.backends.catalogue import default_cache
from branchwise.orchestrator.core.budget import Budget
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.events import Event
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.roles import Backend, Task
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import Loaded, load_workflow, read_workflow
from branchwise.orchestrator.workflow.spec import Workflow
from branchwise.tasks.parse import parse_task

T = TypeVar("T")
AnyWorkflow = Workflow | Loaded | Mapping[str, Any] | str | Path
Problems = Task | Iterable[Problem | str]


def load_task(spec: str, seed: int = 0, limit: int | None = None) -> Task:
    """A task from ``KIND[:key=value,...]`` or a path to a .jsonl file. ConfigError where it is wrong.

    A task that makes its problems up (it has the option ``count``) makes ``limit`` of them, unless told otherwise.
    """
    argument = parse_task(spec)
    module = find("task", argument.kind).module
    wanted: dict[str, Any] = dict(argument.options)
    if limit is not None and "count" in module.Options.model_fields:
        wanted.setdefault("count", limit)
    try:
        options = module.Options.model_validate(wanted)
    except ValidationError as error:
        known = [name for name in module.Options.model_fields if name != "kind"]
        raise ConfigError("\n".join(_wrong_option(spec, one, known) for one in error.errors())) from None
    task: Task = module.build(options, seed=seed)
    return task


def _wrong_option(spec: str, error: Any, known: list[str]) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"task {spec!r}: unknown option '{name}'{suggestion(name, known)}"
    if error["type"] == "missing":
        return f"task {spec!r}: the option {name} is required"
    return f"task {spec!r}: {name}: {error['msg'].removeprefix('Value error, ')} (got {str(error['input'])[:60]!r})"


async def solve_iter(
    problems: Problems,
    workflow: AnyWorkflow,
    *,
    seed: int = 0,
    concurrency: int = 8,
    budget: Budget | None = None,
    limit: int | None = None,
    out: str | Path | None = None,
    reuse: Iterable[str | Path] = (),
    replay: bool = False,
    backends: Mapping[str, Backend] | None = None,
    environment: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> AsyncGenerator[Result, None]:
    """Results as they are finished.

    ``workflow`` is a Workflow, the same as a mapping, or the path of a YAML file, whose ``${NAME}`` come from
    ``environment``. ``out`` is the run directory: an existing one of the same plan is gone on with. ``reuse``
    are other run directories whose draws are taken over. ``replay`` refuses every model call. ``backends``
    stand in for the workflow's models by name. Raises ConfigError before anything is spent, Suspended or
    JournalError where the run ended early and can be gone on with.
    """
    if isinstance(reuse, str | Path):
        raise ConfigError("reuse is a list of run directories, write [...] around it")
    settings = Settings(
        seed, concurrency, Path(out) if out is not None else None, tuple(Path(p) for p in reuse), budget, limit,
        replay, None, backends or {}, on_event,
    )  # fmt: skip
    loaded, task = loaded_workflow(workflow, environment or {}), as_task(problems, limit)
    async with open_session(loaded, task, settings) as session, aclosing(session.results()) as results:
        async for result in results:
            yield result


async def solve_batch(problems: Problems, workflow: AnyWorkflow, **settings: Any) -> list[Result]:
    """Every result, in the order of the problems. Settings as of ``solve_iter``."""
    task = as_task(problems, settings.get("limit"))
    async with aclosing(solve_iter(task, workflow, **settings)) as results:
        found = {result.problem_id: result async for result in results}
    return [found[problem.id] for problem in task.problems() if problem.id in found]


async def solve(problem: Problem | str, workflow: AnyWorkflow, **settings: Any) -> Result:
    """The result of one problem. Settings as of ``solve_iter``."""
    (result,) = await solve_batch([problem], workflow, **settings)
    return result


def solve_batch_sync(problems: Problems, workflow: AnyWorkflow, **settings: Any) -> list[Result]:
    """``solve_batch`` for callers without an event loop, and for notebooks."""
    return run_sync(solve_batch(problems, workflow, **settings))


def solve_sync(problem: Problem | str, workflow: AnyWorkflow, **settings: Any) -> Result:
    """``solve`` for callers without an event loop, and for notebooks."""
    return run_sync(solve(problem, workflow, **settings))


def as_node(
    workflow: AnyWorkflow,
    *,
    problem_key: str = "problem",
    answer_key: str = "answer",
    result_key: str | None = None,
    **settings: Any,
) -> Callable[[Mapping[str, Any]], Coroutine[Any, Any, dict[str, Any]]]:
    """A node for a langgraph StateGraph of your own: it solves ``state[problem_key]`` with the workflow.

    The answer goes to ``answer_key``, the whole Result to ``result_key`` if one is given. Settings as of
    ``solve_iter``.
    """

    async def node(state: Mapping[str, Any]) -> dict[str, Any]:
        result = await solve(state[problem_key], workflow, **settings)
        return {answer_key: result.answer} | ({result_key: result} if result_key else {})

    return node


def loaded_workflow(workflow: AnyWorkflow, environment: Mapping[str, str]) -> Loaded:
    """A workflow in any of the forms that the API takes, checked."""
    loaded = _loaded(workflow, environment)
    return loaded if loaded.cache else replace(loaded, cache=default_cache(os.environ))


def _loaded(workflow: AnyWorkflow, environment: Mapping[str, str]) -> Loaded:
    if isinstance(workflow, Loaded):
        return workflow
    if isinstance(workflow, Workflow):
        return Loaded(workflow, workflow.model_dump(mode="json"), Path())
    if isinstance(workflow, Mapping):
        return read_workflow(dict(workflow), environment, Path())
    return load_workflow(Path(workflow), environment)


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end: here, or in a thread of its own where a loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return uvloop.run(work)
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    task = runner.get_loop().create_task(work)

    def body() -> T:
        with runner:
            return runner.run(_awaited(task))

    with ThreadPoolExecutor(1, "branchwise") as thread:
        try:
            return thread.submit(body).result()
        except BaseException:  # perhaps interrupted: nothing is spent in the background
            with suppress(RuntimeError):  # the loop is closed: the work has come to its end
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise


async def _awaited(task: asyncio.Task[T]) -> T:
    return await task
