"""The math task: problems from a file, and answers that are equal if they are so as mathematics.

1. The file is read and checked when the task is built, by its layout (layouts.py).
2. An answer is what stands in the last box, after ``####`` or after ``the answer is``. Where all keys are numbers, it
   is that only if it is one as mathematics, else the number among its words; and where nothing is stated, it is the
   last number of a text that was not cut off.
3. An answer's canonical form is the same for votes, for selection and for the grade: known at sight (spelling.py), or
   that of a worker process (lanes.py, forms.py). A formula that can't be parsed stands for its own text.
4. A formula over which the worker is lost (time, memory) stands for its own text, too; unless that is the key's, its
   grade is a failure and not a 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator

from branchwise.orchestrator.core.answers import is_number, to_answer
from branchwise.orchestrator.core.errors import ConfigError, SandboxError
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.stated import final_answer, number_in
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.tasks.lines import Content
from branchwise.tasks.math.lanes import Lanes
from branchwise.tasks.math.latex import Formula
from branchwise.tasks.math.layouts import LAYOUTS, Name, Row, read_rows
from branchwise.tasks.math.process import Limits
from branchwise.tasks.math.spelling import read

QUESTION: Final = "{question}"
PROMPT: Final = QUESTION + "\n\nReason step by step, and put your final answer within \\boxed{}."


class Options(_Options):
    """Which file, how its lines are laid out, and how its problems are asked."""

    kind: Literal["math"] = "math"
    path: Path = Field(description="The file, JSON Lines; a relative path starts at the working directory.")
    layout: Name = Field("math", description="Where a line keeps question and key: as GSM8K, MATH-500 or AIME do.")
    prompt: str = Field(PROMPT, description="Template of the user message; {question} is the problem's text.")
    seconds: float = Field(
        5.0, gt=0, le=600, description="Processor time for one formula; what takes longer is not graded."
    )
    megabytes: int = Field(1024, ge=512, description="Memory of the worker process that reads formulas.")

    @field_validator("prompt")
    @classmethod
    def _asks(cls, prompt: str) -> str:
        if QUESTION not in prompt:
            raise ValueError("the template must contain {question}")
        return prompt


class MathTask:
    """Problems and their keys. A run is not resumed with another ``content_sha256``."""

    def __init__(self, name: str, content: Content[Row], prompt: str, numbers: bool, lanes: Lanes) -> None:
        self.name = name
        self.content_sha256 = content.sha256
        self._prompt, self._numbers, self._lanes = prompt, numbers, lanes
        self._rows = {row.id: row for row in content.rows}

    def problems(self) -> Iterator[Problem]:
        """The problems in file order, without their keys."""
        for row in self._rows.values():
            yield Problem(row.id, (user(self._prompt.replace(QUESTION, row.question)),), row.metadata)

    async def answer(self, trajectory: Trajectory) -> Answer | None:
        """What the text states as its answer."""
        whole = trajectory.stop in (None, StopReason.ANSWERED)
        stated = final_answer(trajectory.text, last_number=self._numbers and whole)
        if stated is None:
            return None
        try:
            form = await self._form(stated)
        except SandboxError:
            return Answer(stated.strip(), _own_form(stated))
        if self._numbers and form is not None and not is_number(form):
            return to_answer(number_in(stated))
        return Answer(stated.strip(), form) if form is not None else None

    async def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 for an answer equal to the key, else 0; a failure where that can't be told. KeyError: unknown problem."""
        expected = self._rows[problem_id].answer
        try:
            key = await self._form(expected)
            right = answer is not None and key == await self._form(answer)
        except SandboxError as error:
            if answer is None or _own_form(answer) != _own_form(expected):
                return Grade(None, expected, error.failure())
            return Grade(1.0, expected)
        return Grade(float(right), expected, canonical=key)

    async def _form(self, text: str) -> str | None:
        """The canonical form of an answer; SandboxError where the worker was lost over it."""
        known = read(text)
        return await self._lanes.form(known) or known.text if isinstance(known, Formula) else known


def _own_form(text: str) -> str:
    """The form of an answer that nothing else is equal to."""
    known = read(text)
    return known.text if isinstance(known, Formula) else known or ""


def build(options: Options, *, seed: int = 0) -> MathTask:
    """The task; the file decides everything, so ``seed`` has no meaning. ConfigError names file, line and key."""
    if find_spec("math_verify") is None:
        raise ConfigError("the task math needs a package that is not here: pip install 'branchwise[math]'")
    content = read_rows(options.path, options.layout)
    lanes = Lanes(Limits(options.seconds, options.megabytes))
    return MathTask(options.path.stem, content, options.prompt, LAYOUTS[options.layout].numbers, lanes)
