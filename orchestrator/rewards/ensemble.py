"""Ensemble: several rewards judge, and one value is made of what they say.

1. Every member judges every trajectory. Where one of them can't, the ensemble can't.
2. With ``references``, a sample of rewards for each member, values become z-scores on it, so that no scale dominates.
   Without, all members have to be on one scale.
3. They are combined: ``mean``, ``median``, ``min``, ``mean_minus_spread``, ``mean_minus_variance``; or ``soft_and``,
   the probability to be better than each member's mean reference in everything, if members are independent.
4. The members' values and their spread are recorded as factors, and where the spread is above ``disagreement``, that.

Pessimism against over-optimisation: Coste et al. 2023, arXiv 2310.02743; what ensembles can't mend, since members err
together: Eisenstein et al. 2023, arXiv 2312.09244; soft_and: Wang et al. 2024, arXiv 2402.00742.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import JudgingOptions, Parts, source_of
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.rewards.combining import Combination, combined, spread
from branchwise.orchestrator.rewards.transforms import Sample, normalised, sample_of, soft_and
from branchwise.orchestrator.rewards.wrapping import R, inner_reward, scale_of, unscored


class Options(JudgingOptions, Generic[R]):
    """Who judges, and how it becomes one value."""

    kind: Literal["ensemble"] = "ensemble"
    scores_steps: ClassVar[bool] = False
    rewards: tuple[R, ...] = Field(
        min_length=2,
        description="The members: rewards, with their options.",
        examples=[[{"kind": "calculator"}, {"kind": "calculator", "reducer": "mean"}]],
    )
    combine: Combination | Literal["soft_and"] = Field(
        "mean", description="What one value is made of; pessimistic: min, and mean less spread or variance."
    )
    references: tuple[tuple[float, ...], ...] = Field(
        (), description="For each member in order a sample of its rewards, on which its values are normalised."
    )
    disagreement: float | None = Field(
        None, gt=0, description="A spread above this is recorded as the factor `disagreement`."
    )

    @model_validator(mode="after")
    def _on_one_scale(self) -> Self:
        scales = sorted({scale_of(each) for each in self.rewards})
        if not self.references:
            if self.combine == "soft_and":
                raise ValueError("soft_and needs references: what a reward has to be better than")
            if len(scales) > 1:
                raise ValueError(f"the members are on different scales ({', '.join(scales)}): give references")
        elif len(self.references) != len(self.rewards) or not all(self.references):
            raise ValueError("references are one sample of rewards for each member")
        return self

    @property
    def scale(self) -> Scale:
        """A probability of soft_and, and of members that give some; raw where it may be any number."""
        if self.combine == "soft_and":
            return "probability"
        plain = not self.references and self.combine in ("mean", "median", "min")
        return scale_of(self.rewards[0]) if plain else "raw"

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.combine.replace('_', ' ')} of " + ", ".join(each.kind for each in self.rewards)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Reward models whose values become one."""

    options: Options[Any]
    members: tuple[RewardModel, ...]
    samples: tuple[Sample, ...]

    @property
    def source(self) -> Source:
        return source_of(self.options)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """What all members say of each trajectory, made one."""
        asked = [unscored(each) for each in trajectories]
        judgements = await together([member.score(asked) for member in self.members])
        return [self._together(each) for each in zip(*judgements, strict=True)]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of all members."""
        bounds = [member.bound(unscored(trajectory), max_new_tokens, max_new_steps) for member in self.members]
        return sum(bounds, NOTHING)

    def _together(self, judgements: Sequence[Judgement]) -> Judgement:
        names = [f"{k} {each.kind}" for k, each in enumerate(self.options.rewards, 1)]
        values = list[float]()
        for name, each in zip(names, judgements, strict=True):
            if each.value is None:
                reason = each.failure.message if each.failure is not None else ""
                return failed(f"member {name}: {reason}", self.source, each.rationale)
            values.append(each.value)
        scores = self._normalised(values)
        apart = spread(scores)
        factors = [*zip(names, values, strict=True), ("spread", apart)]
        if self.options.disagreement is not None:
            factors.append(("disagreement", float(apart > self.options.disagreement)))
        value = self._combined(values, scores)
        return replace(judged(value, scale=self.options.scale, source=self.source), factors=tuple(factors))

    def _normalised(self, values: Sequence[float]) -> list[float]:
        if not self.samples:
            return list(values)
        return [normalised(value, sample) for value, sample in zip(values, self.samples, strict=True)]

    def _combined(self, values: Sequence[float], scores: Sequence[float]) -> float:
        rule: Combination | Literal["soft_and"] = self.options.combine
        if rule == "soft_and":
            return math.exp(soft_and(values, [sample.mean for sample in self.samples]))
        return combined(rule, scores)


def build(options: Options[Any], parts: Parts) -> Ensemble:
    """The ensemble of its members."""
    samples = tuple(sample_of(rewards) for rewards in options.references)
    return Ensemble(options, tuple(inner_reward(each, parts) for each in options.rewards), samples)
