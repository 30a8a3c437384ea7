"""Rows of a JSON Lines file: read whole and checked before anything runs, so that no error comes late.

A row holds the question as ``prompt`` or ``question``; optionally ``id`` (default: the file's name and the
line number), and ``answer``. GSM8K's own layout has its answer at the end of a solution, after ``####``.
Keys that are not named here are ignored, since public files have many.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Row:
    """One question and, where the file has it, its key."""

    id: str
    question: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Content:
    """The rows of a file in their order, and the SHA-256 of the file that they were read from."""

    rows: list[Row]
    sha256: str


def read_rows(path: Path) -> Content:
    """All of a file; ConfigError names file and line of the first thing that is wrong."""
    try:
        data = path.read_bytes()
        text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig").read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    lines: dict[str, int] = {}
    rows = []
    for line, row in _parsed(path, text):
        if row.id in lines:
            raise ConfigError(f"{path}:{line}: id {row.id!r} is also that of line {lines[row.id]}")
        lines[row.id] = line
        rows.append(row)
    if not rows:
        raise ConfigError(f"{path}: the file has no rows")
    return Content(rows, hashlib.sha256(data).hexdigest())


def _parsed(path: Path, text: str) -> Iterator[tuple[int, Row]]:
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            yield line, _row(f"{path}:{line}", f"{path.stem}-{line}", content)


def _row(place: str, default_id: str, content: str) -> Row:
    try:
        fields = json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise ConfigError(f"{place}: a row is a JSON object, this is {type(fields).__name__}")
    question = fields.get("prompt", fields.get("question"))
    if question is None:
        raise ConfigError(f"{place}: no key 'prompt' or 'question'; found {', '.join(sorted(fields)) or 'none'}")
    if not isinstance(question, str) or not question.strip():
        raise ConfigError(f"{place}: the question must be text and not empty")
    return Row(_id(place, fields.get("id", default_id)), question, _answer(place, fields.get("answer")))


def _id(place: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ConfigError(f"{place}: id must be text or a whole number, not empty")
    if not str(value).isprintable():
        raise ConfigError(f"{place}: the id {str(value)!r} holds characters that can't be printed")
    return str(value)


def _answer(place: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(f"{place}: answer must be text or a number")
    answer = str(value).rpartition("####")[2].strip()
    if canonical(answer) is None:
        raise ConfigError(f"{place}: the answer is empty or too long; leave it out for a row without grading")
    return answer


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a JSON value")
