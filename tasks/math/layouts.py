r"""Layouts: where public collections of mathematical problems keep question, key and id in a line.

=========  =======================  ============================================  ========================
layout     question                 key                                           id
=========  =======================  ============================================  ========================
``gsm8k``  ``question``             ``answer``: a number, after ``####`` if there  ``id``
``math``   ``problem``              ``answer``, else the last box of ``solution``  ``unique_id``, ``id``
``aime``   ``problem``, ``Problem`` ``answer``, ``Answer``: 0 to 999               ``id``, ``ID``
=========  =======================  ============================================  ========================

Without an id it is the file's name and the line number. ``math`` takes ``subject`` and ``level`` along as metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from branchwise.orchestrator.core.answers import canonical, number
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.stated import final_answer
from branchwise.tasks.lines import Content, Line, read_content

Name = Literal["gsm8k", "math", "aime"]
GREATEST_OF_AIME: Final = 999


@dataclass(frozen=True, slots=True)
class Row:
    """One problem and its key."""

    id: str
    question: str
    answer: str
    metadata: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """The keys of a line, first choice first. ``key_of`` makes the key of the text there, or says what it should be.

    ``numbers`` says that every key is one, so that the number in "$18 a day" is the answer.
    """

    ids: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    key_of: Callable[[str, str], str]
    numbers: bool
    metadata: tuple[str, ...] = ()

    def row(self, line: Line) -> Row:
        """The row of a line. ConfigError names place and key of what is wrong."""
        question_key, answer_key = line.first_of(self.questions), line.first_of(self.answers)
        question, answer = line.fields[question_key], line.fields[answer_key]
        if not isinstance(question, str) or not question.strip():
            raise ConfigError(f"{line.place}: {question_key} must be text and not empty")
        if isinstance(answer, bool) or not isinstance(answer, str | int | float):
            raise ConfigError(f"{line.place}: {answer_key} must be text or a number")
        try:
            key = self.key_of(answer_key, str(answer))
        except ValueError as error:
            raise ConfigError(f"{line.place}: {answer_key}: {error}, got {str(answer)[-60:]!r}") from None
        return Row(line.identity(self.ids), question, key, self._metadata(line))

    def _metadata(self, line: Line) -> dict[str, str | int]:
        values = {key: line.fields.get(key) for key in self.metadata}
        return {key: value for key, value in values.items() if isinstance(value, str | int)}


def read_rows(path: Path, layout: Name) -> Content[Row]:
    """All of a file; ConfigError names file, line and key of the first thing that is wrong."""
    return read_content(path, LAYOUTS[layout].row)


def _number(key: str, text: str) -> str:
    stated = text.rpartition("####")[2].strip()
    if number(stated) is None:
        raise ValueError("expected a number, after #### if there is more")
    return stated


def _formula(key: str, text: str) -> str:
    stated = final_answer(text) if key == "solution" else text.strip()
    if stated is None or canonical(stated) is None:
        raise ValueError(r"expected a last \boxed{}" if key == "solution" else "it is empty or too long")
    return stated


def _whole(key: str, text: str) -> str:
    value = number(text)
    if value is None or value.denominator != 1 or not 0 <= value <= GREATEST_OF_AIME:
        raise ValueError(f"expected a whole number from 0 to {GREATEST_OF_AIME}")
    return text.strip()


LAYOUTS: Final[dict[Name, Layout]] = {
    "gsm8k": Layout(("id",), ("question",), ("answer",), _number, True),
    "math": Layout(
        ("unique_id", "id"), ("problem",), ("answer", "solution"), _formula, False, metadata=("subject", "level")
    ),
    "aime": Layout(("id", "ID"), ("problem", "Problem"), ("answer", "Answer"), _whole, True),
}
