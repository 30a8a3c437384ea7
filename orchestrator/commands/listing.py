"""`branchwise list` and `branchwise schema`: every kind that can be written into a workflow, and its options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.plugins import Kind, Role, kinds

HEADINGS: dict[Role, str] = {
    "search": "Search algorithms (nodes.NAME.algorithm)",
    "reward": "Rewards (nodes.NAME.reward)",
    "judge": "Judges of pairs (nodes.NAME.tournament.judge)",
    "agent": "Agents (nodes.NAME.policy, nodes.NAME.agent)",
    "backend": "Backends (models.NAME)",
    "task": "Tasks (--tasks KIND:option=value,...)",
}


def listing(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the kinds of every role, or of one."""
    roles: tuple[Role, ...] = get_args(Role)
    wanted = arguments.role
    if wanted is not None:
        if wanted not in roles:
            raise ConfigError(f"unknown role '{wanted}'{suggestion(wanted, list(roles))}")
        roles = (wanted,)
    if arguments.json:
        print(json.dumps({role: [_as_json(kind) for kind in kinds(role).values()] for role in roles}, indent=1))
        return 0
    print("\n\n".join("\n".join([HEADINGS[role], *_lines(role)]) for role in roles))
    return 0


def schema(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the JSON Schema of workflow files."""
    from branchwise.orchestrator.workflow.spec import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


def _lines(role: Role) -> Iterator[str]:
    for kind in kinds(role).values():
        origin = "" if kind.built_in else f"  [from {kind.module_name}]"
        if kind.fault:
            yield f"\n  {kind.name}{origin}\n    broken: {kind.fault}"
            continue
        yield f"\n  {kind.name}{origin}\n    {kind.summary}"
        for option in _options(kind):
            default = "required" if option["required"] else f"default {json.dumps(option['default'])}"
            yield f"      {option['name']}: {option['type']}, {default}"
            if option["description"]:
                yield f"          {option['description']}"


def _as_json(kind: Kind) -> dict[str, Any]:
    origin = "built-in" if kind.built_in else kind.module_name
    known = {"kind": kind.name, "origin": origin, "broken": kind.fault or None}
    if kind.fault:
        return {**known, "summary": "", "options": []}
    return {**known, "summary": kind.summary, "options": _options(kind)}


def _options(kind: Kind) -> list[dict[str, Any]]:
    model: type[BaseModel] = kind.module.Options
    return [
        {
            "name": name,
            "type": _type_of(field),
            "required": field.is_required(),
            "default": _default_of(field),
            "description": field.description or "",
        }
        for name, field in model.model_fields.items()
        if name != "kind"
    ]


def _default_of(field: FieldInfo) -> Any:
    return None if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))


def _type_of(field: FieldInfo) -> str:
    annotation = field.annotation
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("pathlib.", "").replace("NoneType", "None")
