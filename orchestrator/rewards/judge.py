"""A model as the judge of one answer: it is given a rubric, thinks aloud and ends with a mark.

1. The model is shown the problem, the answer so far and the rubric, and writes a critique and a mark from ``low`` to
   ``high``: as a number in its last line, or as JSON (held to a schema where the model's server can).
2. A text without a mark, or that was cut off, is drawn anew ``retries`` times; then it is a failure with its text.
3. The mark is the value, by default as a probability: (mark - low) / (high - low).

Models as judges and their biases: Zheng et al. 2023, arXiv 2306.05685.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.prompting import Prompted, SamplingOptions, prompted, prompted_needs
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.bases import Single
from branchwise.orchestrator.rewards.marks import number_in, number_in_json

PROMPT: Final = """You are marking an answer to a problem. It may be unfinished: then mark what is there.

Problem:
$problem

Answer:
$answer

Mark it by this rubric: $rubric

Point out what is right and what is wrong. $form
"""
RUBRIC: Final = "Is every step correct, and does it lead to what the problem asks for?"
FORMS: Final = {
    "number": "Then end with a line such as `Score: N`, where N is a number from $low (worthless) to $high "
    "(flawless).",
    "json": 'Reply with one JSON object only, {"critique": "...", "score": N}, where N is a number from $low '
    "(worthless) to $high (flawless).",
}


class Options(SamplingOptions):
    """Options of the model as a judge of single answers."""

    kind: Literal["judge"] = "judge"
    source: ClassVar[Source] = "judge"
    scores_steps: ClassVar[bool] = False
    placeholders: ClassVar[Placeholders] = Placeholders(("answer",), ("problem", "rubric", "form", "low", "high"))
    told: ClassVar[tuple[str, ...]] = ("rubric",)
    rubric: str = Field(RUBRIC, description="What to judge by; $rubric in the template, beside $problem and $answer.")
    form: Literal["number", "json"] = Field("number", description="How the mark is written.")
    low: float = Field(1.0, description="The worst mark.")
    high: float = Field(10.0, description="The best mark.")
    scale: Literal["probability", "raw"] = Field("probability", description="probability: 0 to 1; raw: the mark.")
    temperature: float = Field(0.0, ge=0, description="Sampling temperature.")
    max_tokens: int = Field(1024, gt=0, description="Most tokens of a critique with its mark.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low has to be below high")
        return self


@dataclass(frozen=True, slots=True)
class Judge(Single[Options]):
    """Marks one answer at a time."""

    asked: Prompted

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """A call and its retries, after the longest possible answer."""
        more = 2 * max_new_tokens * self.asked.places("answer")
        return self.asked.bound(self._request(trajectory), 1 + self.options.retries, more)

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """A mark, or why there is none."""
        try:
            reading = await self.asked.read(self._request(trajectory), self._mark, self.options.retries)
        except BackendError as error:
            return failed(str(error), self.source)
        if reading.found is not None:
            return self._judged(reading.found, reading.text)
        limits = f"{_digits(self.options.low)} to {_digits(self.options.high)}"
        return failed(f"no mark from {limits} can be read", self.source, reading.text)

    def _mark(self, text: str) -> float | None:
        read = number_in_json if self.options.form == "json" else number_in
        return read(text, self.options.low, self.options.high)

    def _judged(self, mark: float, text: str) -> Judgement:
        low, high, scale = self.options.low, self.options.high, self.options.scale
        value = (mark - low) / (high - low) if scale == "probability" else mark
        return replace(judged(value, scale=scale, source=self.source), factors=(("mark", mark),), rationale=text)

    def _request(self, trajectory: Trajectory) -> Request:
        options, problem = self.options, trajectory.problem
        numbers = {"low": _digits(options.low), "high": _digits(options.high)}
        form = FORMS[options.form].replace("$low", numbers["low"]).replace("$high", numbers["high"])
        prompt = self.asked.filled(
            problem=problem.text, answer=trajectory.text, rubric=options.rubric, form=form, **numbers
        )
        structured = options.form == "json" and self.asked.model.capabilities.json_schema
        return self.asked.request(
            prompt,
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            seed=seed_by_content(options.seed, "judge", problem.id, prompt, 0),
            json_schema=_schema(options) if structured else None,
        )


def _digits(number: float) -> str:
    """A number as it is checked, in digits that ``number_in`` reads."""
    return f"{Decimal(repr(number)).normalize():f}"


def _schema(options: Options) -> str:
    number = {"type": "number", "minimum": options.low, "maximum": options.high}
    properties = {"critique": {"type": "string"}, "score": number}
    return json.dumps(
        {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    )


def needs(options: Options) -> dict[str, frozenset[str]]:
    """To be asked; JSON is also read where no schema can hold the model to it."""
    return prompted_needs(options)


def build(options: Options, parts: Parts) -> Judge:
    """The reward over its model."""
    return Judge(options, prompted(options, parts.model(options.model), PROMPT))
