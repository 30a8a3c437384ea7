"""Process model: a token classifier gives every step of a solution a number, read at a tag behind it.

1. The steps, each followed by the step tag, are what the model reads; tags within problem and steps are blanked. One
   row of raw numbers comes back a tag: any other count is a failure.
2. ``column`` of a row goes through ``activation``: softmax over two labels (the last one is the good one), or sigmoid
   of a single label.
3. ``granularity: merged`` reads every step but the first together with the one before it, as one step;
   ``hierarchical`` reads it both ways and takes the better score, so that an error that the next step mends is not
   punished twice. These, and the view ``last_step``, ask once a step.
4. ``reducer`` makes the value: last for models trained on Monte Carlo estimates, min or product for those trained on
   the correctness of steps. It depends on the training, so it is never implied.

Steps that have their score keep it. Lightman et al. 2023, arXiv 2305.20050; reducers: Zhang et al. 2025, "The Lessons
of Developing Process Reward Models", arXiv 2501.07301; merged steps: Wang et al. 2025, "Towards Hierarchical
Multi-Step Reward Models", arXiv 2503.13551 (that the better score counts is ours); views: rewards/views.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError, RewardFailure
from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.prompting import tokens_of
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.activations import Activation, activated, scale_after
from branchwise.orchestrator.rewards.bases import Single
from branchwise.orchestrator.rewards.presenting import PresentedOptions, presented
from branchwise.orchestrator.rewards.reducers import Reducer, reduced
from branchwise.orchestrator.rewards.views import View, math_only

Granularity = Literal["single", "merged", "hierarchical"]


class Options(PresentedOptions):
    """Options of the process reward model."""

    kind: Literal["process_model"] = "process_model"
    source: ClassVar[Source] = "learned"
    step_tag: str = Field(min_length=1, description="The text of the model's step tag, one token, such as <extra_0>.")
    reducer: Reducer = Field(
        description="How step scores become the value: last, or min or product; see the model's card."
    )
    activation: Activation = Field("softmax", description="softmax over labels, sigmoid of one, none: raw scores.")
    column: int = Field(-1, description="Which of a row's numbers says good; -1 is the last.")
    strip: bool = Field(True, description="Take white space off both ends of every step.")
    view: View = Field("full", description="What the model is shown of the solution.")
    granularity: Granularity = Field("single", description="Single steps, pairs merged, or the better of both.")
    max_steps: int = Field(64, gt=0, description="A solution with more steps is not judged.")

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.activation == "none" and self.reducer == "product":
            raise ValueError("a product is made of probabilities, not of raw scores")
        if self.view == "last_step" and self.granularity != "single":
            raise ValueError("view last_step shows no step that could be merged")
        return self

    @property
    def scale(self) -> Scale:
        """A probability after softmax and sigmoid, else raw."""
        return scale_after(self.activation)

    @property
    def at_once(self) -> bool:
        """Whether one call tells the scores of all steps."""
        return self.granularity == "single" and self.view != "last_step"

    @property
    def readings(self) -> int:
        """In how many ways a step is read."""
        return 2 if self.granularity == "hierarchical" else 1


@dataclass(frozen=True, slots=True)
class ProcessModel(Single[Options]):
    """A reward model that gives one number a step."""

    model: Backend

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """One call, or one a step and reading, over the longest possible text with its tags."""
        known = sum(step.score is not None for step in trajectory.steps)
        new = min(max_new_tokens, max_new_steps or max_new_tokens, self.options.max_steps)
        steps = min(self.options.max_steps, len(trajectory.steps) + new)
        calls = 1 if self.options.at_once else max(1, steps - known) * self.options.readings
        tokens, exact = self.model.count_prompt(self._request(trajectory, self._shown(trajectory)))
        tag = tokens_of(self.model, self.options.step_tag)
        return Usage(calls * (tokens + 2 * max_new_tokens + new * (1 + tag)), calls=calls, exact=exact)

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """Step scores and their reduction; what can't be judged is a failure."""
        steps = trajectory.steps
        if not steps:
            return failed("nothing was written that could be judged", self.source)
        if len(steps) > self.options.max_steps:
            return failed(f"{len(steps)} steps, judged are at most {self.options.max_steps}", self.source)
        try:
            found = await self._new_scores(trajectory)
        except (BackendError, RewardFailure) as error:
            return failed(str(error), self.source, trajectory.text)
        values = tuple(found[k] if step.score is None else step.score for k, step in enumerate(steps))
        value = reduced(self.options.reducer, values)
        return judged(value, scale=self.options.scale, source=self.source, step_values=values)

    async def _new_scores(self, trajectory: Trajectory) -> dict[int, float]:
        """The scores of the steps that have none yet, by their place."""
        new = [k for k, step in enumerate(trajectory.steps) if step.score is None]
        shown = self._shown(trajectory)
        if not new:
            return {}
        if self.options.at_once:
            scores = await self._asked(trajectory, shown)
            return {k: scores[k] for k in new}
        readings = [(k, pieces) for k in new for pieces in self._readings(shown, k)]
        scored = await together([self._asked(trajectory, pieces) for _, pieces in readings])
        by_step: dict[int, list[float]] = {k: [] for k in new}
        for (k, _), scores in zip(readings, scored, strict=True):
            by_step[k].append(scores[-1])
        return {k: reduced("max", read) for k, read in by_step.items()}

    def _readings(self, shown: Sequence[str], k: int) -> list[list[str]]:
        """The ways in which step k is read: what is shown before it, and it, the last one."""
        if self.options.view == "last_step":
            return [[shown[k]]]
        single, merged = [*shown[: k + 1]], [*shown[: max(0, k - 1)], " ".join(shown[max(0, k - 1) : k + 1])]
        if self.options.granularity == "merged" or k == 0:
            return [merged]
        return [single] if self.options.granularity == "single" else [single, merged]

    async def _asked(self, trajectory: Trajectory, pieces: Sequence[str]) -> list[float]:
        """The score of each of these pieces. RewardFailure where they are not as many as the pieces."""
        (draw,) = await self.model.generate(self._request(trajectory, pieces))
        if len(draw.values) != len(pieces):
            raise RewardFailure(
                f"{len(draw.values)} rows of numbers for {len(pieces)} steps: is {self.options.step_tag!r} one token "
                "and the step tag that the server was started with?"
            )
        try:
            return [activated(row, self.options.column, self.options.activation) for row in draw.values]
        except ValueError as error:
            raise RewardFailure(str(error)) from error

    def _shown(self, trajectory: Trajectory) -> list[str]:
        """What the model is shown of each step."""
        texts = [step.text.strip() if self.options.strip else step.text for step in trajectory.steps]
        if self.options.view == "math_only":
            texts = list(map(math_only, texts))
        return list(map(self._blanked, texts))

    def _blanked(self, text: str) -> str:
        """The text without step tags, of which the model would score each."""
        return text.replace(self.options.step_tag, " ")

    def _request(self, trajectory: Trajectory, pieces: Sequence[str]) -> Request:
        solution = "".join(piece + self.options.step_tag for piece in pieces)
        return presented(self.options, self._blanked(trajectory.problem.text), solution, pooling="token_classify")


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Numbers instead of text."""
    return {options.model: frozenset({"pooling", options.style})}


def build(options: Options, parts: Parts) -> ProcessModel:
    """The reward over its model."""
    return ProcessModel(options, parts.model(options.model))
