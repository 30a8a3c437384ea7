"""The jsonl task: one user message a row, and a grade wherever the row has an answer.

1. The file is read and checked when the task is built.
2. ``answers`` says what an answer is. ``number``: the number that a text states, so ``The answer is $18 a
   day`` answers 18; else the last number of a text that was not cut off. ``stated``: what stands in a box,
   after ``####`` or after ``the answer is``. ``text``: all of it. Where it is not set: ``number`` if every
   key is a number, ``text`` if there is no key at all, else ``stated``.
3. Key and answer are equal if their canonical forms are. Symbolic equality of formulas is not attempted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator

from branchwise.orchestrator.core.answers import canonical, number, to_answer
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.stated import final_answer, final_number
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.tasks.jsonl.rows import Row, read_rows
from branchwise.tasks.lines import Content

Answers = Literal["number", "stated", "text"]

QUESTION: Final = "{question}"


class Options(_Options):
    """Which file, and how its rows are asked."""

    kind: Literal["jsonl"] = "jsonl"
    path: Path = Field(description="The file; a relative path starts at the working directory.")
    prompt: str = Field(QUESTION, description="Template of the user message; {question} is the row's question.")
    answers: Answers | None = Field(None, description="What counts as an answer; default: see the keys.")

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str) -> str:
        if QUESTION not in prompt:
            raise ValueError("the template must contain {question}")
        return prompt


class JsonlTask:
    """Rows and their keys. A run is not resumed with another ``content_sha256``."""

    def __init__(self, name: str, content: Content[Row], prompt: str = QUESTION, answers: Answers = "stated") -> None:
        self.name = name
        self.content_sha256 = content.sha256
        self._prompt, self._answers = prompt, answers
        self._rows = {row.id: row for row in content.rows}

    def problems(self) -> Iterator[Problem]:
        """The rows in file order, without their keys."""
        for row in self._rows.values():
            yield Problem(row.id, (user(self._prompt.replace(QUESTION, row.question)),))

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """What the text states as its answer, or the text itself; see ``Options.answers``."""
        text = trajectory.text
        if self._answers == "number":
            ended = trajectory.stop in (None, StopReason.ANSWERED)
            return to_answer(final_number(text, last_number=ended))
        if self._answers == "stated":
            return to_answer(final_answer(text))
        squeezed = " ".join(text.split())
        return Answer(text.strip(), canonical(text) or squeezed) if squeezed else None

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 for an answer equal to the key, else 0; None without a key; KeyError for an unknown problem."""
        expected = self._rows[problem_id].answer
        if expected is None:
            return Grade(None)
        return Grade(float(canonical(answer) == canonical(expected)), expected)


def build(options: Options, *, seed: int = 0) -> JsonlTask:
    """The task; the file decides everything, so ``seed`` has no meaning. ConfigError names file and line."""
    content = read_rows(options.path)
    return JsonlTask(options.path.stem, content, options.prompt, options.answers or _answers_of(content.rows))


def _answers_of(rows: list[Row]) -> Answers:
    keys = [row.answer for row in rows if row.answer is not None]
    if not keys:
        return "text"
    return "number" if all(number(key) is not None for key in keys) else "stated"
