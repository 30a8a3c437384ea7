"""The tables of the documentation that are made from the models of the code, so that they can't drift.

``python -m tests.architecture.reference`` writes them into the pages; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from branchwise.orchestrator.core import budget
from branchwise.orchestrator.core.errors import BoundaryError
from branchwise.orchestrator.core.options import ModelOptions, Price
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.evaluation import suite
from branchwise.orchestrator.plugins import Kind, Role, kinds
from branchwise.orchestrator.search import bins
from branchwise.orchestrator.workflow import spec
from tests.architecture.markdown import ROOT, section
from tests.rewards import matrix


def keys(model: type[BaseModel]) -> str:
    """A table of the keys of one model."""
    return _table(_rows(model))


def kinds_of(role: Role) -> str:
    """For each kind of a role: its line and its options."""
    common = set(_rows(ModelOptions)) if role == "backend" else set()
    return "\n".join(_kind(kind, common) for kind in kinds(role).values() if _built_in(kind))


def shared_by_backends() -> str:
    """The options that every backend has."""
    return _table([row for row in _rows(ModelOptions) if row[0] != "`kind`"])


def stop_reasons() -> str:
    """Every stop reason and its sentence, from the source."""
    source = (ROOT / "orchestrator" / "core" / "trajectory.py").read_text(encoding="utf-8")
    rows = []
    for reason in StopReason:
        sentence = source.partition(f'{reason.name} = "{reason.value}"\n')[2].split('"""')[1]
        rows.append((f"`{reason.value}`", sentence))
    return _lines(("stop", "meaning"), rows)


def boundaries() -> str:
    """Every boundary at which a candidate can be lost."""
    rows = [(f"`{error.boundary}`", f"`{error.__name__}`", _first(error)) for error in _below(BoundaryError)]
    return _lines(("boundary", "error", "meaning"), rows)


def _built_in(kind: Kind) -> bool:
    return kind.module_name.startswith("branchwise.")


def _kind(kind: Kind, common: set[tuple[str, str, str, str]]) -> str:
    rows = [row for row in _rows(kind.module.Options) if row not in common and row[0] != "`kind`"]
    return f"#### {kind.name}\n\n{kind.summary}\n\n" + (_table(rows) if rows else "No options.\n")


def _rows(model: type[BaseModel]) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, field in model.model_fields.items():
        written = field.is_required() or name == "kind"  # a kind is how the form is known: it can't be left out
        default = "required" if written else _default(field.get_default(call_default_factory=True))
        meaning = "Which form this is." if name == "kind" else field.description or ""
        rows.append((f"`{field.alias or name}`", _type(field.annotation), default, meaning))
    return rows


def _default(value: Any) -> str:
    if value is None or isinstance(value, BaseModel):
        return "none"
    return f"`{json.dumps(value)}`"


def _type(annotation: Any) -> str:
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    text = str(annotation)
    if text.startswith("typing.Literal") or text.startswith("typing.Optional[typing.Literal"):
        inner = arguments if text.startswith("typing.Literal") else get_args(arguments[0])
        return " or ".join(f"`{value}`" for value in inner)
    known = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}
    if annotation in known:
        return known[annotation]
    if len(arguments) == 1 and "None" in text:
        return _type(arguments[0])
    if getattr(annotation, "__origin__", None) in (list, dict):
        return "list" if annotation.__origin__ is list else "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return "text" if "Secret" in text else "text or mapping" if "dict" in text else "mapping"


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    return _lines(("key", "type", "default", "meaning"), rows)


def _lines(headings: tuple[str, ...], rows: list[Any]) -> str:
    cells = [headings, tuple("---" for _ in headings), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in cells)


def _below(error: type[BoundaryError]) -> list[type[BoundaryError]]:
    return [one for inner in error.__subclasses__() for one in (inner, *_below(inner))]


def _first(error: type[Exception]) -> str:
    return (error.__doc__ or "").split("\n")[0]


_WORKFLOWS = "docs/workflows.md"
SECTIONS: dict[tuple[str, str], Callable[[], str]] = {
    (_WORKFLOWS, "keys of a workflow"): partial(keys, spec.Workflow),
    (_WORKFLOWS, "keys of a search node"): partial(keys, spec.SearchNode),
    (_WORKFLOWS, "keys of a tournament"): partial(keys, spec.Tournament),
    (_WORKFLOWS, "keys of an agent node"): partial(keys, spec.AgentNode),
    (_WORKFLOWS, "keys of a budget"): partial(keys, budget.Budget),
    (_WORKFLOWS, "keys of limits"): partial(keys, budget.TimedLimits),
    (_WORKFLOWS, "keys of the journal"): partial(keys, spec.JournalOptions),
    (_WORKFLOWS, "keys of a price"): partial(keys, Price),
    (_WORKFLOWS, "kinds of search"): partial(kinds_of, "search"),
    (_WORKFLOWS, "keys of a bin"): partial(keys, bins.Bin),
    (_WORKFLOWS, "keys of a mixture"): partial(keys, bins.Mixture),
    (_WORKFLOWS, "kinds of reward"): partial(kinds_of, "reward"),
    (_WORKFLOWS, "kinds of judge"): partial(kinds_of, "judge"),
    (_WORKFLOWS, "kinds of agent"): partial(kinds_of, "agent"),
    (_WORKFLOWS, "options of every backend"): shared_by_backends,
    (_WORKFLOWS, "kinds of backend"): partial(kinds_of, "backend"),
    (_WORKFLOWS, "kinds of task"): partial(kinds_of, "task"),
    ("docs/semantics.md", "stop reasons"): stop_reasons,
    ("docs/semantics.md", "boundaries"): boundaries,
    ("docs/rewards.md", "rewards and searches"): matrix.table,
    ("docs/evaluation.md", "keys of a suite"): partial(keys, suite.Suite),
    ("docs/evaluation.md", "keys of a part"): partial(keys, suite.Part),
    ("docs/evaluation.md", "keys of a strategy"): partial(keys, suite.Entry),
}
"""(page, section) -> what has to stand there."""


def main() -> None:
    """Write every table into its page."""
    for (page, name), made in SECTIONS.items():
        path = ROOT / page
        text = path.read_text(encoding="utf-8")
        old = f"<!-- {name} -->\n{section(path, name)}<!-- /{name} -->"
        path.write_text(text.replace(old, f"<!-- {name} -->\n{made()}<!-- /{name} -->"), encoding="utf-8")


if __name__ == "__main__":
    main()
