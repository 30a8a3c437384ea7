"""Outcome model: a sequence classifier, or a reranker, gives a whole solution one number.

1. ``ask: classify`` shows it problem and solution; ``ask: score`` gives a reranker the problem as the query and the
   solution as the document.
2. The server returns raw numbers; ``column`` of them goes through ``activation``: none for models trained on pairs,
   sigmoid for one label, softmax for several. The raw number is recorded as a factor.

Models of this kind: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems", arXiv 2110.14168; trained on
preferences: Liu et al. 2025, "Skywork-Reward-V2", arXiv 2507.01352.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Template
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.activations import Activation, activated, scale_after
from branchwise.orchestrator.rewards.bases import Single
from branchwise.orchestrator.rewards.presenting import PresentedOptions, presented


class Options(PresentedOptions):
    """Options of the outcome reward model."""

    kind: Literal["outcome_model"] = "outcome_model"
    source: ClassVar[Source] = "learned"
    scores_steps: ClassVar[bool] = False
    ask: Literal["classify", "score"] = Field("classify", description="classify: a classifier; score: a reranker.")
    activation: Activation = Field("none", description="What is made of the raw number; none: a raw score.")
    column: int = Field(0, description="Which of the model's numbers; -1 is the last.")

    @property
    def scale(self) -> Scale:
        """A probability after sigmoid and softmax, else raw."""
        return scale_after(self.activation)


@dataclass(frozen=True, slots=True)
class OutcomeModel(Single[Options]):
    """A reward model that gives one number for the whole."""

    model: Backend

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """One call over the longest possible text."""
        tokens, exact = self.model.count_prompt(self._request(trajectory))
        return Usage(tokens + 2 * max_new_tokens, calls=1, exact=exact)

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """One number."""
        if not trajectory.text:
            return failed("nothing was written that could be judged", self.source)
        try:
            (draw,) = await self.model.generate(self._request(trajectory))
        except BackendError as error:
            return failed(str(error), self.source)
        return self._judged(draw)

    def _judged(self, draw: Draw) -> Judgement:
        if len(draw.values) != 1:
            return failed(f"{len(draw.values)} rows of numbers, wanted is one for the whole", self.source, draw.text)
        (row,), options = draw.values, self.options
        try:
            value = activated(row, options.column, options.activation)
        except ValueError as error:
            return failed(str(error), self.source, str(row))
        made = judged(value, scale=options.scale, source=self.source)
        return made if made.failure is not None else replace(made, factors=(("raw", row[options.column]),))

    def _request(self, trajectory: Trajectory) -> Request:
        options = self.options
        if options.ask == "classify":
            return presented(options, trajectory.problem.text, trajectory.text, pooling="classify")
        query = Template(options.before).safe_substitute(problem=trajectory.problem.text)
        return Request(prompt=query or " ", document=trajectory.text, pooling="score", max_tokens=0, temperature=0.0)


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Numbers instead of text."""
    style = "completion" if options.ask == "score" else options.style
    return {options.model: frozenset({"pooling", style})}


def build(options: Options, parts: Parts) -> OutcomeModel:
    """The reward over its model."""
    return OutcomeModel(options, parts.model(options.model))
