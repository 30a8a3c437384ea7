"""Flipped: another reward, some of whose verdicts are turned round: an instrument to study how robust a search is.

1. The other reward judges.
2. Each verdict, on a step or on the whole, is flipped with the probability ``share``: v becomes 1 - v.
3. Flipped step values are reduced anew, as the other reward reduces them. Where it has no reducer, its one verdict is
   the value, and the steps have none.

Whether a verdict is flipped is a matter of chance, addressed by ``seed``, problem and the text up to there: equal
texts are judged alike, wherever they stand in whichever tree, as by a model that errs. So a wrong verdict is never
drawn anew. With a share of 0.5, verdicts of 0 and 1 say nothing any more. One that is around another, in whatever
depth, flips by a chance of its own.

Symmetric label noise, as in Angluin and Laird 1988, "Learning from Noisy Examples", Machine Learning 2:343-370.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards.reducers import reduced
from branchwise.orchestrator.rewards.wrapping import R, Wrapper, WrapperOptions, inner_reward, scale_of


class Options(WrapperOptions[R], Generic[R]):
    """Whose verdicts, and how many of them."""

    kind: Literal["flipped"] = "flipped"
    share: float = Field(ge=0, le=1, description="Of its verdicts, flipped.", examples=[0.2])
    seed: int = Field(0, ge=0, description="Another seed flips others.")

    @model_validator(mode="after")
    def _probabilities(self) -> Self:
        if scale_of(self.reward) != "probability":
            raise ValueError("only probabilities are flipped")
        return self

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.described}, {100 * self.share:g} % flipped"

    @property
    def sampled(self) -> bool:
        """Whether it depends on the seed what is flipped."""
        return 0 < self.share < 1 or self.reward.sampled

    @property
    def scores_steps(self) -> bool:
        """False where a value can't be made of flipped step scores."""
        return self.reward.scores_steps and self.reducer is not None


def layers(options: JudgingOptions) -> int:
    """How many rewards of this kind are in these options, one within the other."""
    return max(map(layers, options.within), default=0) + isinstance(options, Options)


@dataclass(frozen=True, slots=True)
class Flipped(Wrapper[Options[Any]]):
    """A reward model some of whose verdicts are turned round; what is no probability becomes a failure.

    ``layer`` counts the rewards of this kind from the innermost to this one: each has chances of its own.
    """

    layer: int

    def shown(self, trajectory: Trajectory) -> Trajectory:
        """The steps with the scores that the other reward gave them, of which it may keep what it has."""
        steps = trajectory.steps
        if all(step.score is None for step in steps):
            return trajectory
        turned = zip(steps, self._turned(trajectory), strict=True)
        return replace(trajectory, steps=tuple(_opposite(step) if flip else step for step, flip in turned))

    def made(self, value: float, judgement: Judgement, trajectory: Trajectory) -> Judgement:
        """The judgement with some of its verdicts flipped."""
        if judgement.scale != "probability":
            return failed(f"a {judgement.scale} score can't be flipped", self.source)
        values, reducer = judgement.step_values, self.options.reducer
        if not values or reducer is None:
            value = 1 - value if self._turns(trajectory, trajectory.text) else value
            return replace(judgement, value=value, step_values=(), factors=())
        turned = self._turned(trajectory)
        values = tuple(1 - each if flip else each for each, flip in zip(values, turned, strict=True))
        return replace(judgement, value=reduced(reducer, values), step_values=values, factors=())

    def _turned(self, trajectory: Trajectory) -> Iterator[bool]:
        """Whether the verdict on each step is flipped."""
        return (self._turns(trajectory, text) for text in accumulate(step.text for step in trajectory.steps))

    def _turns(self, trajectory: Trajectory, text: str) -> bool:
        address = ascii((trajectory.problem.id, text))  # a text may hold what has no bytes
        return chance(self.options.seed, *["flipped"] * self.layer, address).random() < self.options.share


def _opposite(step: Step) -> Step:
    return step if step.score is None else replace(step, score=1 - step.score)


def build(options: Options[Any], parts: Parts) -> Flipped:
    """The reward around the other one."""
    return Flipped(options, inner_reward(options.reward, parts), layers(options))
