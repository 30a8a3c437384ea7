"""JSON Lines files: read whole and checked before anything runs, so that no error comes late.

A file's lines are objects. What must be in them is for each task to say, under the place that ``Line`` names:
``FILE:LINE``, to which it adds the key.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Never, Protocol, TypeVar

from branchwise.orchestrator.core.errors import ConfigError


class Identified(Protocol):
    """What a line is turned into: something with an id."""

    @property
    def id(self) -> str: ...


RowT = TypeVar("RowT", bound=Identified)


@dataclass(frozen=True, slots=True)
class Line:
    """One line's object, where it stands, and the id that it has if it names none: the file's name and the line."""

    place: str
    default_id: str
    fields: Mapping[str, Any]

    def first_of(self, keys: tuple[str, ...]) -> str:
        """The first of these keys that the line has. ConfigError names those that it has instead."""
        for key in keys:
            if self.fields.get(key) is not None:
                return key
        found = ", ".join(sorted(self.fields)) or "none"
        raise ConfigError(f"{self.place}: no key {' or '.join(map(repr, keys))}; found {found}")

    def identity(self, keys: tuple[str, ...] = ("id",)) -> str:
        """The first of these keys that the line has, as text. ConfigError where it is no id."""
        key = next((key for key in keys if key in self.fields), keys[0])
        value = self.fields.get(key, self.default_id)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise ConfigError(f"{self.place}: {key} must be text or a whole number, not empty")
        if not str(value).isprintable():
            raise ConfigError(f"{self.place}: the id {str(value)!r} holds characters that can't be printed")
        return str(value)


@dataclass(frozen=True, slots=True)
class Content(Generic[RowT]):
    """The rows of a file in their order, and the SHA-256 of the file that they were read from."""

    rows: list[RowT]
    sha256: str


def read_content(path: Path, row: Callable[[Line], RowT]) -> Content[RowT]:
    """All of a file; ConfigError names file and line of the first thing that is wrong."""
    try:
        data = path.read_bytes()
        text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig").read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    lines: dict[str, int] = {}
    rows = []
    for number, line in _lines(path, text):
        one = row(line)
        if one.id in lines:
            raise ConfigError(f"{line.place}: id {one.id!r} is also that of line {lines[one.id]}")
        lines[one.id] = number
        rows.append(one)
    if not rows:
        raise ConfigError(f"{path}: the file has no rows")
    return Content(rows, hashlib.sha256(data).hexdigest())


def _lines(path: Path, text: str) -> Iterator[tuple[int, Line]]:
    for number, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            place = f"{path}:{number}"
            yield number, Line(place, f"{path.stem}-{number}", _fields(place, content))


def _fields(place: str, content: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ConfigError(f"{place}: a row is a JSON object, this is {type(fields).__name__}")
    return fields


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a JSON value")
