"""Task arguments of the command line: ``KIND``, ``KIND:key=value,key=value`` or a path FILE.jsonl."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from branchwise.orchestrator.core.errors import ConfigError

FORM = "KIND, KIND:key=value,key=value or FILE.jsonl"


@dataclass(frozen=True, slots=True)
class TaskArgument:
    """The kind of a task and its options as they were written; the kind's Options turn them into values."""

    kind: str
    options: Mapping[str, str] = field(default_factory=dict)


def parse_task(argument: str) -> TaskArgument:
    """Read one argument; ConfigError names what is wrong with it."""
    if argument.endswith(".jsonl") and "=" not in argument:
        return TaskArgument("jsonl", {"path": argument})
    kind, colon, rest = argument.partition(":")
    if not re.fullmatch(r"[A-Za-z_][\w-]*", kind):
        raise ConfigError(f"task {argument!r}: expected {FORM}")
    if colon and not rest:
        raise ConfigError(f"task {argument!r}: no options after the colon; expected {FORM}")
    return TaskArgument(kind, _options(argument, rest))


def _options(argument: str, text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for piece in text.split(",") if text else ():
        key, equals, value = piece.partition("=")
        key = key.strip()
        if not equals or not key.isidentifier():
            raise ConfigError(f"task {argument!r}: {piece!r} is not key=value (a value can't hold a comma)")
        if key in options or key == "kind":
            raise ConfigError(f"task {argument!r}: {key} is given twice")
        options[key] = value.strip()
    return options
