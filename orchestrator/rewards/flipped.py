"""Flipped: another reward, some of whose verdicts are turned round: an instrument to study how robust a search is.

1. The other reward judges.
2. Each verdict, on a step or on the whole, is flipped with the probability ``share``: v becomes 1 - v.
3. Flipped step values are reduced anew, as the other reward reduces them. Where it has no reducer, its one verdict is
   the value, and the steps have none.

Whether a verdict is flipped is a matter of chance, addressed by ``seed``, problem and the text up to there: equal
texts are judged alike, wherever they stand in whichever tree, as by a model that errs. So a wrong verdict is never
drawn anew. With a share of 0.5, verdicts of 0 and 1 say nothing any more.

Symmetric label noise, as in Angluin and Laird 1988, "Learning from Noisy Examples", Machine Learning 2:343-370.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, Source, failed
from branchwise.orchestrator.core.options import Parts, source_of
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards.reducers import reduced
from branchwise.orchestrator.rewards.wrapping import R, WrapperOptions, inner_reward, scale_of


class Options(WrapperOptions[R], Generic[R]):
    """Whose verdicts, and how many of them."""

    kind: Literal["flipped"] = "flipped"
    share: float = Field(ge=0, le=1, description="Of its verdicts, flipped.", examples=[0.2])
    seed: int = Field(0, ge=0, description="Another seed flips others.")

    @model_validator(mode="after")
    def _probabilities(self) -> Self:
        if scale_of(self.reward) != "probability":
            raise ValueError("only probabilities are flipped")
        if self.reward.kind == self.kind:
            raise ValueError("flipped already: say the whole share once")
        return self

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.kind}, {100 * self.share:g} % flipped"


@dataclass(frozen=True, slots=True)
class Flipped:
    """A reward model around another one."""

    options: Options[Any]
    reward: RewardModel

    @property
    def source(self) -> Source:
        return source_of(self.options)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """The other reward's judgements, some verdicts flipped; what is on no scale of probability is a failure."""
        judgements = await self.reward.score([self._as_judged(each) for each in trajectories])
        return [self._flipped(each, of) for each, of in zip(judgements, trajectories, strict=True)]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of the other reward."""
        return self.reward.bound(trajectory, max_new_tokens, max_new_steps)

    def _as_judged(self, trajectory: Trajectory) -> Trajectory:
        """The steps with the scores that the other reward gave them, of which it may keep what it has."""
        steps = trajectory.steps
        if all(step.score is None for step in steps):
            return trajectory
        turned = zip(steps, self._turned(trajectory), strict=True)
        return replace(trajectory, steps=tuple(_opposite(step) if flip else step for step, flip in turned))

    def _flipped(self, judgement: Judgement, trajectory: Trajectory) -> Judgement:
        if judgement.value is None:
            return judgement
        if judgement.scale != "probability":
            return failed(f"a {judgement.scale} score can't be flipped", self.source)
        values, reducer = judgement.step_values, self.options.reducer
        if not values or reducer is None:
            value = 1 - judgement.value if self._turns(trajectory, trajectory.text) else judgement.value
            return replace(judgement, value=value, step_values=(), factors=())
        turned = self._turned(trajectory)
        values = tuple(1 - value if flip else value for value, flip in zip(values, turned, strict=True))
        return replace(judgement, value=reduced(reducer, values), step_values=values, factors=())

    def _turned(self, trajectory: Trajectory) -> Iterator[bool]:
        """Whether the verdict on each step is flipped."""
        return (self._turns(trajectory, text) for text in accumulate(step.text for step in trajectory.steps))

    def _turns(self, trajectory: Trajectory, text: str) -> bool:
        address = ascii((trajectory.problem.id, text))  # a text may hold what has no bytes
        return chance(self.options.seed, "flipped", address).random() < self.options.share


def _opposite(step: Step) -> Step:
    return step if step.score is None else replace(step, score=1 - step.score)


def build(options: Options[Any], parts: Parts) -> Flipped:
    """The reward around the other one."""
    return Flipped(options, inner_reward(options.reward, parts))
