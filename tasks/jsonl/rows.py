"""Rows of questions: what the jsonl task reads from each line of its file.

A row holds the question as ``prompt`` or ``question``; optionally ``id`` (default: the file's name and the
line number), and ``answer``. GSM8K's own layout has its answer at the end of a solution, after ``####``.
Keys that are not named here are ignored, since public files have many.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.tasks.lines import Content, Line, read_content


@dataclass(frozen=True, slots=True)
class Row:
    """One question and, where the file has it, its key."""

    id: str
    question: str
    answer: str | None


def read_rows(path: Path) -> Content[Row]:
    """All of a file; ConfigError names file and line of the first thing that is wrong."""
    return read_content(path, _row)


def _row(line: Line) -> Row:
    question = line.fields[line.first_of(("prompt", "question"))]
    if not isinstance(question, str) or not question.strip():
        raise ConfigError(f"{line.place}: the question must be text and not empty")
    return Row(line.identity(), question, _answer(line.place, line.fields.get("answer")))


def _answer(place: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(f"{place}: answer must be text or a number")
    answer = str(value).rpartition("####")[2].strip()
    if canonical(answer) is None:
        raise ConfigError(f"{place}: the answer is empty or too long; leave it out for a row without grading")
    return answer
