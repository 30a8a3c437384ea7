"""Process reward of a model that writes a label after each step: the probability of the good one.

1. For each step not scored yet: the problem and the steps up to it, as text.
2. One token is drawn after that text; p(good) / (p(good) + p(bad)) from its log-probabilities (core/labels.py) is the
   step's score.
3. The step scores are reduced to the value: last for models trained on Monte Carlo labels, min or product for
   those trained on correctness.

Math-Shepherd (arXiv 2312.08935) and its followers mark steps this way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.labels import UNDECIDED, label_chance
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.prompting import (
    Prompted,
    PromptedOptions,
    Style,
    prompted,
    prompted_needs,
    tokens_of,
)
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.bases import Single
from branchwise.orchestrator.rewards.reducers import Reducer, reduced

PROMPT: Final = "$problem\n$steps"


class Options(PromptedOptions):
    """Options of the label-token process reward."""

    kind: Literal["label_token"] = "label_token"
    source: ClassVar[Source] = "learned"
    placeholders: ClassVar[Placeholders] = Placeholders(("steps",), ("problem",))
    style: Style = Field("completion", description="As plain text that is continued, or as a user's message.")
    step_end: str = Field("\n", description="Each step is made to end with this.")
    good: str = Field("+", min_length=1, description="Label of a good step; may be longer than a token.")
    bad: str = Field("-", min_length=1, description="Label of a bad step: another from its first token on.")
    reducer: Reducer = Field(description="How the step scores become the value.")
    every_step: bool = Field(
        True, description="False, for reducer last: only the last step is scored, for one token a judgement."
    )
    alternatives: int = Field(8, ge=2, description="Log-probabilities asked for at the label's position.")
    exact: bool = Field(
        False,
        description="Instead: ask for the chances of just these two labels, of one token each (vLLM's servers tell).",
    )
    max_steps: int = Field(32, gt=0, description="A solution with more steps is not judged.")

    @model_validator(mode="after")
    def _told_apart(self) -> Options:
        good, bad = self.good.split(), self.bad.split()
        if not good or not bad or good[0] == bad[0]:
            raise ValueError(
                "labels are told apart at their first word: put what both begin with at the prompt's end"
            )
        return self

    @model_validator(mode="after")
    def _last_only(self) -> Options:
        if not self.every_step and self.reducer != "last":
            raise ValueError(f"every_step: false goes with reducer last, not with {self.reducer}")
        return self

    @property
    def scores_steps(self) -> bool:
        """False where only the last step is scored."""
        return self.every_step


@dataclass(frozen=True, slots=True)
class LabelToken(Single[Options]):
    """Scores steps by the label that a model would write after them."""

    asked: Prompted

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """A label for each step that has no score and each new one, after the longest possible text."""
        options, asked = self.options, self.asked
        new = min(options.max_steps, max_new_tokens, max_new_steps or max_new_tokens)
        without = sum(step.score is None for step in trajectory.steps)
        calls = min(options.max_steps, without + new) if options.every_step else 1
        more = (2 * max_new_tokens + new * tokens_of(asked.model, options.step_end)) * asked.places("steps")
        return asked.bound(self._request(trajectory, len(trajectory.steps)), calls, more)

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """A judgement; steps that have a score keep it."""
        steps = trajectory.steps
        if not steps:
            return failed("nothing was written that could be judged", self.source)
        if len(steps) > self.options.max_steps:
            return failed(f"{len(steps)} steps, judged are at most {self.options.max_steps}", self.source)
        if not self.options.every_step:
            return await self._score_last(trajectory)
        new = [k for k, step in enumerate(steps) if step.score is None]
        try:
            labels = await self._labels([self._request(trajectory, k + 1) for k in new])
        except BackendError as error:
            return failed(str(error), self.source)
        scores = {
            k: label_chance(label, self.options.good, self.options.bad) for k, label in zip(new, labels, strict=True)
        }
        values = [scores.get(k, step.score) for k, step in enumerate(steps)]
        if any(value is None for value in values):
            return failed(UNDECIDED, self.source, labels[0].text)
        known = tuple(value for value in values if value is not None)
        return judged(
            reduced(self.options.reducer, known), scale="probability", source=self.source, step_values=known
        )

    async def _score_last(self, trajectory: Trajectory) -> Judgement:
        try:
            (label,) = await self._labels([self._request(trajectory, len(trajectory.steps))])
        except BackendError as error:
            return failed(str(error), self.source)
        value = label_chance(label, self.options.good, self.options.bad)
        if value is None:
            return failed(UNDECIDED, self.source, label.text)
        return judged(value, scale="probability", source=self.source)

    async def _labels(self, requests: list[Request]) -> list[Draw]:
        return await together([self._label(request) for request in requests])  # one lost, and all are

    async def _label(self, request: Request) -> Draw:
        return (await self.asked.model.generate(request))[0]

    def _request(self, trajectory: Trajectory, steps: int) -> Request:
        text = "".join(self._ended(step) for step in trajectory.steps[:steps])
        prompt = self.asked.filled(problem=trajectory.problem.text, steps=text)
        if self.options.exact:
            return replace(self.asked.request(prompt, max_tokens=1), labels=(self.options.good, self.options.bad))
        return self.asked.request(prompt, max_tokens=1, logprobs=self.options.alternatives)

    def _ended(self, step: Step) -> str:
        end = self.options.step_end
        return step.text if step.text.endswith(end) else step.text + end


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Log-probabilities at the label, or of the labels themselves."""
    return prompted_needs(options, "labels" if options.exact else "logprobs")


def build(options: Options, parts: Parts) -> LabelToken:
    """The reward over its model."""
    return LabelToken(options, prompted(options, parts.model(options.model), PROMPT))
