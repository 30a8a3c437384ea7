"""Transformed: another reward's value, or its step scores, on another scale.

==================  ====================================================  ======================
transform           value                                                 options
==================  ====================================================  ======================
``preference``     mean of sigmoid(steepness (r - reference)): PAR        references, steepness
``log_preference`` log sigmoid(r - quantile of the references)            references, quantile
``normalised``     (r - mean) / std of the references                     references
``clipped``        reduced min(p - ceiling, 0) of the steps               ceiling, step_reducer
``deltas``         reduced p_k - p_(k+1) of the steps                     step_reducer
``clipped_deltas`` the same of the clipped steps                          ceiling, step_reducer
``progress``       reduced p_k - p_(k-1) of the steps                     step_reducer
==================  ====================================================  ======================

The formulas and their papers are in rewards/transforms.py. The steps keep the other reward's scores. References are
rewards that it gave to reference answers, to each problem its own from a file (rewards/references.py) or the same to
all: without them there is no centre, and a problem that the file lacks has no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement, Scale, failed, judged
from branchwise.orchestrator.core.options import Parts, each_part
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards import transforms
from branchwise.orchestrator.rewards.reducers import RawReducer, reduced
from branchwise.orchestrator.rewards.references import ByProblem, read_references
from branchwise.orchestrator.rewards.wrapping import R, Wrapper, WrapperOptions, inner_reward, scale_of

Transform = Literal["preference", "log_preference", "normalised", "clipped", "deltas", "clipped_deltas", "progress"]
OF_STEPS: Final = ("clipped", "deltas", "clipped_deltas", "progress")
NO_SPREAD: Final = "normalised needs references that differ: equal ones have no scale"


class Options(WrapperOptions[R], Generic[R]):
    """Which transform, of what."""

    kind: Literal["transformed"] = "transformed"
    transform: Transform = Field(
        description="What is made of the value or of the step scores.", examples=["progress"]
    )
    references: tuple[float, ...] | Path = Field(
        (), description="Rewards of reference answers, by the same reward; or a file with them for each problem."
    )
    quantile: float = Field(
        0.85, gt=0, lt=1, description="Of log_preference: of a normal distribution through the references."
    )
    steepness: float = Field(1.0, gt=0, description="Of preference: the factor before the difference.")
    ceiling: float = Field(0.8, description="Of what is clipped: what is above neither gains nor loses.")
    step_reducer: RawReducer = Field("sum", description="How transformed step scores become the value.")

    @model_validator(mode="after")
    def _has_steps(self) -> Self:
        if self.transform in OF_STEPS and not self.reward.scores_steps:
            raise ValueError(
                f"{self.reward.kind} gives one value and no step scores that could be made {self.transform}"
            )
        return self

    @model_validator(mode="after")
    def _of_the_others_steps(self) -> Self:
        if self.transform in OF_STEPS and self.step_reducer == "product":
            raise ValueError("a product is made of probabilities, and transformed steps are none")
        inner = [part.transform for part in each_part(self.reward) if isinstance(part, Options)]
        if self.transform in OF_STEPS and any(each in OF_STEPS for each in inner):
            raise ValueError(
                "steps keep the scores that they have before a transform: clipped_deltas is both at once"
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
        given = self.references
        if self.transform == "normalised" and not isinstance(given, Path) and not transforms.moments(given).std:
            raise ValueError(NO_SPREAD)
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
    """A reward model whose values are transformed; ``by_problem`` are the references of a file."""

    by_problem: ByProblem = field(default_factory=dict)

    def made(self, value: float, judgement: Judgement, trajectory: Trajectory) -> Judgement:
        """The judgement with its value transformed; without step scores or references to do so by, a failure."""
        options, scale = self.options, self.options.scale
        references = self._references(trajectory)
        if options.transform not in OF_STEPS:
            if not references:
                return failed(f"no references for the problem '{trajectory.problem.id}'", self.source)
            transformed = self._value(value, references)
        elif judgement.step_values:
            transformed = reduced(options.step_reducer, self._steps(judgement.step_values))
        else:
            reason = f"{options.reward.kind} gives no step scores that could be {options.transform}"
            return failed(reason, self.source)
        kept = judgement.step_values if scale == "raw" or judgement.scale == "probability" else ()
        made = judged(transformed, scale=scale, source=self.source, step_values=kept)
        return replace(made, factors=(("untransformed", value),), rationale=judgement.rationale)

    def _references(self, trajectory: Trajectory) -> tuple[float, ...]:
        given = self.options.references
        return self.by_problem.get(trajectory.problem.id, ()) if isinstance(given, Path) else given

    def _value(self, value: float, references: Sequence[float]) -> float:
        match self.options.transform:
            case "preference":
                return transforms.preference(value, references, self.options.steepness)
            case "log_preference":
                reference = transforms.normal_quantile(transforms.moments(references), self.options.quantile)
                return transforms.log_preference(value, reference)
            case _:
                return transforms.z_score(value, transforms.moments(references))

    def _steps(self, scores: Sequence[float]) -> list[float]:
        match self.options.transform:
            case "clipped":
                return transforms.clipped(scores, self.options.ceiling)
            case "deltas":
                return transforms.deltas(scores)
            case "clipped_deltas":
                return transforms.deltas(transforms.clipped(scores, self.options.ceiling))
            case _:
                return transforms.progress(scores)


def build(options: Options[Any], parts: Parts) -> Transformed:
    """The reward around the other one. ConfigError where the references can't be read, or have no scale."""
    by_problem: ByProblem = {}
    if isinstance(options.references, Path):
        by_problem = read_references(parts.directory / options.references)
    if options.transform == "normalised":
        for problem, rewards in by_problem.items():
            if not transforms.moments(rewards).std:
                raise ConfigError(f"references {options.references}: problem '{problem}': {NO_SPREAD}")
    return Transformed(options, inner_reward(options.reward, parts), by_problem)
