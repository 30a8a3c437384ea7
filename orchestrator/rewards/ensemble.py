"""Ensemble: several rewards judge, and one value is made of what they say.

1. Every member judges every trajectory. Where one of them can't, the ensemble can't.
2. With ``references``, a sample of rewards for each member, values become z-scores on it, so that no scale dominates.
   Without, all members have to be on one scale.
3. They are combined: ``mean``, ``median``, ``min``, ``mean_minus_std``, ``mean_minus_variance``; or ``soft_and``, the
   probability to be better in everything than each member's reference, a quantile of its sample, if members are
   independent.
4. The members' values are recorded as factors, with the standard deviation of what is combined (z-scores, or
   log-probabilities of soft_and); and whether that is above ``disagreement``.

Members that are sampled have seeds of their own: one judge that is listed twice is asked twice.

Pessimism against over-optimisation: Coste et al. 2023, arXiv 2310.02743; what ensembles can't mend, since members err
together: Eisenstein et al. 2023, arXiv 2312.09244; soft_and: Wang et al. 2024, arXiv 2402.00742.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import pstdev
from typing import Any, ClassVar, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, Scale, failed, judged, usable
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.rewards.combining import Combination, combined
from branchwise.orchestrator.rewards.transforms import Moments, log_preference, moments, normal_quantile, z_score
from branchwise.orchestrator.rewards.wrapping import Panel, R, reseeded_rewards, scale_of


class Options(JudgingOptions, Generic[R]):
    """Who judges, and how it becomes one value."""

    kind: Literal["ensemble"] = "ensemble"
    scores_steps: ClassVar[bool] = False
    rewards: tuple[R, ...] = Field(
        min_length=2,
        description="The members: rewards, with their options.",
        examples=[[{"kind": "calculator"}, {"kind": "calculator", "reducer": "mean"}]],
    )
    combine: Combination = Field(
        "mean", description="What one value is made of; pessimistic: min, and mean less std or variance."
    )
    references: tuple[tuple[float, ...], ...] = Field(
        (), description="For each member in order a sample of its rewards, on which its values are normalised."
    )
    quantile: float = Field(
        0.85, gt=0, lt=1, description="Of soft_and: of a normal distribution through the references."
    )
    disagreement: float | None = Field(
        None, gt=0, description="A standard deviation above this is recorded as the factor `disagreement`."
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
        elif self.combine != "soft_and" and not all(moments(sample).std for sample in self.references):
            raise ValueError("a member's references are all equal: there is no scale to normalise its rewards on")
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
class Ensemble(Panel[Options[Any]]):
    """Reward models whose values become one."""

    references: tuple[Moments, ...]

    def made(self, judgements: Sequence[Judgement]) -> Judgement:
        """The members' values combined; where one of them failed, a failure that names it."""
        names = [f"{k} {each.kind}" for k, each in enumerate(self.options.rewards, 1)]
        values = list[float]()
        for name, each in zip(names, judgements, strict=True):
            if each.value is None:
                reason = each.failure.message if each.failure is not None else ""
                return failed(f"member {name}: {reason}", self.source, each.rationale)
            values.append(each.value)
        scores = self._comparable(values)
        if not usable(*scores):
            return failed(f"not finite on the members' references: {scores}", self.source)
        std = pstdev(scores)
        factors = [*zip(names, values, strict=True), ("std", std)]
        if self.options.disagreement is not None:
            factors.append(("disagreement", float(std > self.options.disagreement)))
        value = combined(self.options.combine, scores)
        return replace(judged(value, scale=self.options.scale, source=self.source), factors=tuple(factors))

    def _comparable(self, values: Sequence[float]) -> list[float]:
        """The values as they are combined: on one scale."""
        if not self.references:
            return list(values)
        pairs = zip(values, self.references, strict=True)
        if self.options.combine == "soft_and":
            quantile = self.options.quantile
            return [log_preference(value, normal_quantile(reference, quantile)) for value, reference in pairs]
        return [z_score(value, reference) for value, reference in pairs]


def build(options: Options[Any], parts: Parts) -> Ensemble:
    """The ensemble of its members."""
    return Ensemble(options, reseeded_rewards(options.rewards, parts), tuple(map(moments, options.references)))
