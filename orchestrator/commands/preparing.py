"""What `run` and `check` do first: workflow, budget and task from the command line, all checked."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from branchwise.orchestrator.api import load_task
from branchwise.orchestrator.backends.catalogue import default_cache
from branchwise.orchestrator.core.budget import RESOURCES
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.roles import Task
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.predict import Prediction, check_models, predict
from branchwise.orchestrator.session import Plain
from branchwise.orchestrator.workflow.load import Loaded, load_workflow
from branchwise.orchestrator.workflow.validate import validate
from branchwise.sandboxes.calculator import evaluate
from branchwise.tasks.parse import parse_task

RESOURCES_OF = {
    "run": (*RESOURCES, "seconds"),
    "problem": (*RESOURCES, "seconds"),
    "branch": RESOURCES,
}
FORM = "write it as problem.tokens=4000, run.seconds=60 or problem.verifier.calls=50"


def workflow_of(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Loaded:
    """The workflow file with --set and --budget applied, validated. ConfigError lists all that is wrong."""
    settings = (*arguments.settings, *map(budget_setting, arguments.budget))
    return loaded_from(arguments.workflow, environment, settings)


def loaded_from(path: Path, environment: Mapping[str, str], settings: tuple[str, ...]) -> Loaded:
    """A workflow file with settings applied, validated, its models at hand. It is called after its file at least."""
    loaded = load_workflow(path, environment, settings)
    if not loaded.workflow.name:
        named = loaded.workflow.model_copy(update={"name": path.stem})
        loaded = replace(loaded, workflow=named, data={**loaded.data, "name": path.stem})
    return checked(loaded, environment)


def checked(loaded: Loaded, environment: Mapping[str, str]) -> Loaded:
    """The workflow, validated, its models found where the environment says. ConfigError lists all that is wrong."""
    found = replace(loaded, cache=default_cache(environment))
    validate(found)
    check_models(found)
    return found


def budget_setting(text: str) -> str:
    """SCOPE[.ROLE].RESOURCE=VALUE as a setting of the workflow. ConfigError says what would be valid."""
    path, equals, value = text.partition("=")
    scope, *role, resource = path.split(".") if path.count(".") in (1, 2) else ("", "")
    if not equals or not scope or not resource or not all(role):
        raise ConfigError(f"--budget {text}: {FORM}")
    if scope not in RESOURCES_OF:
        raise ConfigError(f"--budget {text}: unknown scope '{scope}'{suggestion(scope, list(RESOURCES_OF))}")
    valid = RESOURCES if role else RESOURCES_OF[scope]
    if resource not in valid:
        raise ConfigError(f"--budget {text}: unknown resource '{resource}'{suggestion(resource, list(valid))}")
    _check_number(text, resource, value)
    return ".".join(["budget", scope, *(["roles", *role] if role else []), resource]) + f"={value}"


def task_of(spec: str, limit: int | None, seed: int) -> Task:
    """The task of --tasks. ConfigError where it is wrong or has no problems."""
    task = load_task(spec, seed, limit)
    if not any(True for _ in islice(task.problems(), limit)):
        raise ConfigError(f"task {spec!r} has no problems")
    return task


def portable(spec: str) -> str:
    """A task argument that means the same in another working directory, where it names a file."""
    argument = parse_task(spec)
    path = argument.options.get("path")
    if path is None or spec == "":
        return spec
    absolute = str(Path(path).expanduser().absolute())
    return absolute if spec == path else spec.replace(f"path={path}", f"path={absolute}")


def predicted(loaded: Loaded, task: Task | None, problems: Iterable[Problem]) -> Prediction:
    """The most that the longest of these problems can use; also finds parts that can't be built, or don't fit the
    task's world.
    """
    if task is not None:
        validate(loaded, task)
    answering = task or Plain(())
    longest = max(problems, key=lambda one: len(one.text.encode("utf-8", "replace")), default=problem(""))
    return predict(loaded, longest, answering.answer, evaluate, getattr(task, "world", None))


def _check_number(text: str, resource: str, value: str) -> None:
    whole = resource in ("tokens", "calls")
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        raise ConfigError(f"--budget {text}: '{value}' is not a {'whole ' if whole else ''}number") from None
    if not 0 < number < float("inf"):
        raise ConfigError(f"--budget {text}: a budget must be greater than 0, and finite")
