"""Transformed: another reward's value, or its step scores, on another scale.

==================  ====================================================  ======================
transform           value                                                 options
==================  ====================================================  ======================
``preference``     mean of sigmoid(steepness (r - reference)): PAR        references, steepness
``log_preference`` log sigmoid(r - mean of the references)                references
``normalised``     (r - mean) / std of the references                     references
``clipped``        reduced min(p - ceiling, 0) of the steps               ceiling, step_reducer
``deltas``         reduced p_k - p_(k+1) of the steps                     step_reducer
``progress``       reduced p_k - p_(k-1) of the steps                     step_reducer
==================  ====================================================  ======================

The formulas and their papers are in rewards/transforms.py. The steps keep the other reward's scores. References are
rewards that it gave to reference answers: without them there is no centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, Scale, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards import transforms
from branchwise.orchestrator.rewards.reducers import RawReducer, reduced
from branchwise.orchestrator.rewards.wrapping import R, Wrapper, WrapperOptions, inner_reward, scale_of

Transform = Literal["preference", "log_preference", "normalised", "clipped", "deltas", "progress"]
OF_STEPS: Final = ("clipped", "deltas", "progress")


class Options(WrapperOptions[R], Generic[R]):
    """Which transform, of what."""

    kind: Literal["transformed"] = "transformed"
    transform: Transform = Field(
        description="What is made of the value or of the step scores.", examples=["progress"]
    )
    references: tuple[float, ...] = Field((), description="Rewards of reference answers, by the same reward.")
    steepness: float = Field(1.0, gt=0, description="Of preference: the factor before the difference.")
    ceiling: float = Field(0.8, description="Of clipped: what is above neither gains nor loses.")
    step_reducer: RawReducer = Field("sum", description="How transformed step scores become the value.")

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if self.transform in OF_STEPS and not self.reward.scores_steps:
            raise ValueError(
                f"{self.reward.kind} gives one value and no step scores that could be made {self.transform}"
            )
        return self

    @model_validator(mode="after")
    def _has_references(self) -> Self:
        if (self.transform in OF_STEPS) == bool(self.references):
            wanted = "takes no references" if self.references else "needs references"
            raise ValueError(f"{self.transform} {wanted}: rewards that reference answers were given")
        return self

    @model_validator(mode="after")
    def _has_spread(self) -> Self:
        if self.transform == "normalised" and not transforms.moments(self.references).std:
            raise ValueError("normalised needs references that differ: equal ones have no scale")
        return self

    @property
    def scores_steps(self) -> bool:
        """As the other reward; not where the value becomes a probability and its scores are none."""
        return self.reward.scores_steps and (self.scale == "raw" or scale_of(self.reward) == "probability")

    @property
    def scale(self) -> Scale:
        """A preference is a probability, everything else any finite number."""
        return "probability" if self.transform == "preference" else "raw"

    @property
    def reducer(self) -> None:
        """None: a value can't be made of the other reward's step scores without the transform."""
        return None

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.described}, {self.transform.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Transformed(Wrapper[Options[Any]]):
    """A reward model whose values are transformed."""

    def made(self, value: float, judgement: Judgement, trajectory: Trajectory) -> Judgement:
        """The judgement with its value transformed; where there are no step scores to transform, a failure."""
        options, scale = self.options, self.options.scale
        if options.transform not in OF_STEPS:
            transformed = self._value(value)
        elif judgement.step_values:
            transformed = reduced(options.step_reducer, self._steps(judgement.step_values))
        else:
            reason = f"{options.reward.kind} gives no step scores that could be {options.transform}"
            return failed(reason, self.source)
        kept = judgement.step_values if scale == "raw" or judgement.scale == "probability" else ()
        made = judged(transformed, scale=scale, source=self.source, step_values=kept)
        return replace(made, factors=(("untransformed", value),), rationale=judgement.rationale)

    def _value(self, value: float) -> float:
        references = self.options.references
        match self.options.transform:
            case "preference":
                return transforms.preference(value, references, self.options.steepness)
            case "log_preference":
                return transforms.log_preference(value, fmean(references))
            case _:
                return transforms.z_score(value, transforms.moments(references))

    def _steps(self, scores: Sequence[float]) -> list[float]:
        match self.options.transform:
            case "clipped":
                return transforms.clipped(scores, self.options.ceiling)
            case "deltas":
                return transforms.deltas(scores)
            case _:
                return transforms.progress(scores)


def build(options: Options[Any], parts: Parts) -> Transformed:
    """The reward around the other one."""
    return Transformed(options, inner_reward(options.reward, parts))
