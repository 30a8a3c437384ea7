"""Session: one run, opened. It owns the journal and the models, and closes them.

The Python API (api.py) and the command line (cli.py) are two thin layers over this.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import SupportsIndex

from branchwise.orchestrator.backends.listening import told, unserved
from branchwise.orchestrator.backends.outage import Outage
from branchwise.orchestrator.backends.stack import outage_of, stacked
from branchwise.orchestrator.core.answers import to_answer
from branchwise.orchestrator.core.budget import Budget
from branchwise.orchestrator.core.decisions import Decision
from branchwise.orchestrator.core.errors import BoundaryError, ConfigError, Suspended
from branchwise.orchestrator.core.events import Event, RunFinished, RunStarted
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.options import ModelOptions, Parts
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.roles import Backend, Grade, Task
from branchwise.orchestrator.core.stated import final_answer
from branchwise.orchestrator.core.together import arrived, bare
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.engine.batch import run_batch
from branchwise.orchestrator.engine.collecting import calm_collector
from branchwise.orchestrator.engine.episode import Episode
from branchwise.orchestrator.engine.run import Run
from branchwise.orchestrator.journal.decisions import DecisionLog
from branchwise.orchestrator.journal.manifest import Manifest, plan_hash, settle_manifest
from branchwise.orchestrator.journal.results import result_from
from branchwise.orchestrator.journal.store import Journal, read_decisions
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.compile import compile_workflow, has_routes, import_graph_library
from branchwise.orchestrator.workflow.facts import facts_of
from branchwise.orchestrator.workflow.files import files_of
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.searching import beginnings, node_of
from branchwise.orchestrator.workflow.secrecy import recordable
from branchwise.orchestrator.workflow.servers import told_by_address
from branchwise.orchestrator.workflow.spec import Workflow
from branchwise.orchestrator.workflow.validate import validate
from branchwise.orchestrator.workflow.yaml_file import written_at
from branchwise.sandboxes.calculator import evaluate


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is made: everything besides workflow and problems."""

    seed: int = 0
    concurrency: int = 8
    out: Path | None = None
    reuse: tuple[Path, ...] = ()
    budget: Budget | None = None
    limit: int | None = None
    replay: bool = False
    task_name: str | None = None
    backends: Mapping[str, Backend] = field(default_factory=dict)
    on_event: Callable[[Event], None] = lambda event: None
    problem_count: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("concurrency", 1), ("limit", 1)):
            if (value := getattr(self, name)) is not None or name != "limit":
                check_whole(name, value, least)


def check_whole(name: str, value: object, least: int) -> None:
    """ConfigError where a setting is no whole number, or below the least."""
    if not isinstance(value, SupportsIndex) or value.__index__() < least:
        raise ConfigError(f"{name} is a whole number of at least {least}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Plain:
    """A task around bare problems: answers are read in the usual ways, nothing can be graded."""

    given: tuple[Problem, ...]
    name: str = "problems"

    def problems(self) -> Iterator[Problem]:
        """The problems as given."""
        return iter(self.given)

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """A boxed answer, one after ####, after "the answer is", else the last number."""
        return to_answer(final_answer(trajectory.text, last_number=True))

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """There is no key."""
        return Grade(None)


def as_task(problems: Task | Iterable[Problem | str], limit: int | None = None) -> Task:
    """A task as it is; problems or plain texts as a task without a key. ConfigError where ids repeat."""
    if isinstance(problems, str | Problem):
        raise ConfigError("problems is a list of problems, write [...] around a single one")
    if not isinstance(problems, Iterable):
        return problems
    if limit is not None:
        check_whole("limit", limit, 1)
    given = tuple(
        problem(one, f"problem-{number}") if isinstance(one, str) else one
        for number, one in enumerate(islice(problems, limit))
    )
    wrong = [one for one in given if not isinstance(one, Problem)]
    if wrong:
        raise ConfigError(f"a problem is a text or a Problem, not {wrong[0]!r}")
    odd = [one.id for one in given if not one.id.isprintable()]
    if odd:
        raise ConfigError(f"the id {odd[0]!r} holds characters that can't be printed")
    ids = [one.id for one in given]
    if len(set(ids)) < len(ids):
        raise ConfigError("two problems have the same id; the journal needs one id a problem")
    return Plain(given)


@dataclass(slots=True)
class Session:
    """An open run. ``results()`` hands them out: first those on record, then each when it is finished."""

    run: Run
    task: Task
    loaded: Loaded
    settings: Settings
    notes: tuple[str, ...]

    def problems(self) -> Iterator[Problem]:
        """The problems of this run."""
        return islice(self.task.problems(), self.settings.limit)

    async def results(self) -> AsyncGenerator[Result, None]:
        """Every result. Suspended or JournalError where the run ended early; it can be resumed."""
        self.run.notify(RunStarted(self.settings.seed, _text(self.run.journal.directory), len(self._recorded())))
        for result in self.finished():
            yield result
        solve = compile_workflow(self.loaded, self.parts(), self.settings.seed)

        async def graded(episode: Episode) -> Result:
            result = await solve(episode)
            grade = await self._graded(episode.problem.id, result.answer)
            failures = result.failures + ((grade.failure,) if grade.failure is not None else ())
            result = replace(result, grade=grade, failures=failures)
            return self._with_record(result, Trajectory(episode.problem))

        batch = run_batch(self.run, self.problems(), graded, self.settings.concurrency)
        try:
            async with aclosing(batch) as results:
                async for result in results:
                    yield result
        except Suspended:
            self.run.notify(RunFinished(suspended=True))
            raise
        self.run.notify(RunFinished())

    async def _graded(self, problem_id: str, answer: str | None) -> Grade:
        """The task's verdict; none, with the failure, where its grader broke."""
        try:
            return await bare(arrived(self.task.grade(problem_id, answer)))
        except BoundaryError as error:
            return Grade(None, failure=error.failure())

    def finished(self) -> Iterator[Result]:
        """The results on record."""
        recorded = self._recorded()
        if recorded:
            for given in self.problems():
                if given.id in recorded:
                    yield self._with_record(result_from(given, recorded[given.id]), Trajectory(given))

    def _recorded(self) -> dict[str, str]:
        return dict(self.run.journal.results())

    def _with_record(self, result: Result, root: Trajectory) -> Result:
        """The result with its way to the decisions: from the file, or kept in memory where there is none."""
        directory, problem_id = self.run.journal.directory, result.problem_id
        kept = None if directory else self.run.journal.decisions_of(problem_id)

        def record() -> list[SearchRecord]:
            rows = kept if directory is None else read_decisions(directory, problem_id)
            begins = beginnings(self.loaded.workflow, self.settings.seed)
            return [
                SearchRecord(node, root, _decoded(root, recorded), begins.get(node_of(node)))
                for node, recorded in (rows or {}).items()
            ]

        return replace(result, record=record)

    def parts(self) -> Parts:
        """What the workflow's parts are built on."""
        return _parts(self.loaded, self.task, self.run.models)


@asynccontextmanager
async def open_session(loaded: Loaded, task: Task, settings: Settings) -> AsyncIterator[Session]:
    """Check everything, then open models and journal. ConfigError before anything is spent."""
    workflow = loaded.workflow
    if settings.budget is not None:
        workflow = workflow.model_copy(update={"budget": settings.budget})
        given = settings.budget.model_dump(mode="json", exclude_defaults=True)
        loaded = replace(loaded, workflow=workflow, data={**loaded.data, "budget": given})
    validate(loaded, task)
    if has_routes(workflow):
        import_graph_library()  # before the journal's clock starts
    async with AsyncExitStack() as opened:
        raw = _raw_models(loaded, settings, opened)  # before the journal: what is wrong leaves no run directory
        compile_workflow(loaded, _parts(loaded, task, raw), settings.seed)
        served = {} if settings.replay else await _served(loaded, settings)
        journal = Journal(
            settings.out,
            durability=workflow.journal.durability,
            content=workflow.journal.content,
            reuse=settings.reuse,
            replay_only=settings.replay,
        )
        try:
            outages = _outages(workflow)
            for name in served:  # its server is there: should it go before its first answer it is waited for
                outages[name].end()
            models = _stacked(raw, journal, loaded, settings, outages)
            manifest, notes = settle_manifest(journal, _manifest(loaded, task, settings, models, served))
            acted = getattr(task, "world", None), getattr(task, "environment", None)
            common = (settings.seed, journal, models, task.answer, workflow.budget, settings.on_event)
            run = Run(*common, *acted, id=manifest.id)
            if settings.out is not None:
                for outage in outages.values():
                    outage.suspend = run.suspend
            with calm_collector():
                yield Session(run, task, loaded, settings, notes)
        finally:
            try:
                await opened.aclose()
            finally:
                journal.close()


def _parts(loaded: Loaded, task: Task, models: Mapping[str, Backend]) -> Parts:
    return Parts(models.__getitem__, task.answer, evaluate, loaded.directory)


def _raw_models(loaded: Loaded, settings: Settings, opened: AsyncExitStack) -> dict[str, Backend]:
    """The workflow's models without their wrappers; ``opened`` closes them, not those that were given."""
    unknown = set(settings.backends) - set(loaded.workflow.models)
    if unknown:
        raise ConfigError(f"backends are given for models that the workflow does not have: {', '.join(unknown)}")
    raw = dict(settings.backends)
    for name in loaded.workflow.models:
        if name not in raw:
            raw[name] = build_backend(loaded.model(name))
            opened.push_async_callback(raw[name].aclose)
    return raw


def _outages(workflow: Workflow) -> dict[str, Outage]:
    """What is known of each model's servers being away: models of the same ones share it."""
    known: dict[Hashable, Outage] = {}
    return {
        name: known.setdefault((options.servers or name, options.outage_seconds), outage_of(options, name))
        for name, options in workflow.models.items()
    }


def _stacked(
    raw: Mapping[str, Backend],
    journal: Journal,
    loaded: Loaded,
    settings: Settings,
    outages: Mapping[str, Outage],
) -> dict[str, Backend]:
    """The models inside their wrappers, each under an identity of its own."""
    addresses = told_by_address(loaded.workflow)
    models = {}
    for name, options in loaded.workflow.models.items():
        identity = raw[name].identity
        if name in addresses and name not in settings.backends:
            identity = identity.at(addresses[name])
        models[name] = stacked(raw[name], journal, options, identity, outages[name])
    return models


def build_backend(options: ModelOptions) -> Backend:
    """A raw backend."""
    backend: Backend = find("backend", options.kind).module.build(options)
    return backend


async def _served(loaded: Loaded, settings: Settings) -> dict[str, str]:
    """By which version of what each model is served, as far as its servers tell; each of them is asked once.

    ConfigError where no server of a model is there, or one says that it does not have the model.
    """
    models = {
        name: options
        for name, options in loaded.workflow.models.items()
        if options.VERSIONED and name not in settings.backends
    }
    keys = {server: options.key for options in models.values() for server in options.servers}
    heard = await asyncio.gather(*(asyncio.to_thread(told, server, key) for server, key in keys.items()))
    listeners = dict(zip(keys, heard, strict=True))
    wrong = [
        f"{written_at(('models', name, *key.split('.')), loaded.source, loaded.lines)}: {why}"
        for name, options in models.items()
        for key, why in unserved(options.served_names, {server: listeners[server] for server in options.servers})
    ]
    if wrong:
        raise ConfigError("\n".join(wrong))
    return {
        name: f"{options.VERSIONED} {', '.join(known)}"
        for name, options in models.items()
        if (known := sorted({listeners[server].version for server in options.servers} - {""}))
    }


def _manifest(
    loaded: Loaded, task: Task, settings: Settings, models: Mapping[str, Backend], served: dict[str, str]
) -> Manifest:
    transport = {name: set(options.TRANSPORT) for name, options in loaded.workflow.models.items()}
    resolved = loaded.workflow.model_dump(mode="json", exclude={"models": transport})
    world: World | None = getattr(task, "world", None)
    return Manifest(
        plan=json.loads(json.dumps(recordable(loaded), default=str)),
        plan_hash=plan_hash(json.dumps(resolved, sort_keys=True)),
        seed=settings.seed,
        version=version("branchwise"),
        models={name: asdict(model.identity) for name, model in models.items()},
        served=served,
        nodes=facts_of(loaded.workflow),
        name=loaded.workflow.name,
        source=loaded.source,
        directory=str(loaded.directory.resolve()),
        working_directory=str(Path.cwd()),
        task=settings.task_name,
        task_sha256=getattr(task, "content_sha256", None),
        files_sha256=files_of(loaded),
        world=dict(world.facts) if world is not None else {},
        limit=settings.limit,
        problem_count=settings.problem_count,
        concurrency=settings.concurrency,
        id=secrets.token_hex(16),
    )


def _decoded(root: Trajectory, recorded: list[tuple[str, str]]) -> list[Decision]:
    return DecisionLog(root, lambda seq, kind, payload: None, recorded).replay()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
