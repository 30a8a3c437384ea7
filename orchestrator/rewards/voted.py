"""Voted: another reward that samples its judgement is asked several times, and its verdicts become one.

1. The same reward is built once a vote, each with a seed of its own.
2. The value is the mean or the median of the votes that could be read; with fewer than ``quorum`` of them it is a
   failure, with the text of the first vote that failed.
3. The standard deviation of the votes is recorded beside it: where it is great, one more vote would change the
   verdict.

As self-consistency for judges: Liu et al. 2025, "Inference-Time Scaling for Generalist Reward Modeling", arXiv
2504.02495. A reward that does not sample would vote k times the same, and is refused. Equal draws are not paid twice
in any case: the journal keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, pstdev
from typing import Any, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, Scale, failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.rewards.wrapping import Panel, R, WrapperOptions, reseeded_rewards, scale_of


class Options(WrapperOptions[R], Generic[R]):
    """Whose votes, and how many."""

    kind: Literal["voted"] = "voted"
    reward: R = Field(
        description="Who votes: a reward that samples its judgements, or is made of one that does.",
        examples=[{"kind": "flipped", "share": 0.2, "reward": {"kind": "calculator"}}],
    )
    votes: int = Field(4, ge=2, le=64, description="Judgements of each trajectory.")
    combine: Literal["mean", "median"] = Field("mean", description="What the votes that could be read become.")
    quorum: int = Field(1, ge=1, description="Votes that have to be readable.")

    @model_validator(mode="after")
    def _sampled(self) -> Self:
        if not self.reward.sampled:
            raise ValueError(
                f"{self.reward.kind}, as set here, casts the same vote each time: only sampled judgements are voted"
            )
        if self.quorum > self.votes:
            raise ValueError("the quorum is more than all votes")
        return self

    @property
    def scale(self) -> Scale:
        """That of the other reward."""
        return scale_of(self.reward)

    @property
    def scores_steps(self) -> bool:
        """False: the votes are values."""
        return False

    @property
    def reducer(self) -> None:
        """None: the votes are values, not step scores."""
        return None

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.described}, {self.combine} of {self.votes}"


@dataclass(frozen=True, slots=True)
class Voted(Panel[Options[Any]]):
    """The same reward model several times, each with seeds of its own."""

    def made(self, judgements: Sequence[Judgement]) -> Judgement:
        """The mean or median vote, with the votes' standard deviation."""
        values = [vote.value for vote in judgements if vote.value is not None]
        if len(values) < self.options.quorum:
            lost = next(vote for vote in judgements if vote.failure is not None)
            reason = lost.failure.message if lost.failure is not None else ""
            read = f"{len(values)} of {len(judgements)} votes could be read"
            return failed(f"{read}: {reason}", self.source, lost.rationale)
        value = fmean(values) if self.options.combine == "mean" else median(values)
        factors = (("votes", float(len(values))), ("std", pstdev(values)))
        return replace(judged(value, scale=self.options.scale, source=self.source), factors=factors)


def build(options: Options[Any], parts: Parts) -> Voted:
    """The voters, which differ in their seeds."""
    return Voted(options, reseeded_rewards([options.reward] * options.votes, parts))
