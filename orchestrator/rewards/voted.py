"""Voted: another reward that samples its judgement is asked several times, and its verdicts become one.

1. The same reward is built once a vote, each with a seed of its own.
2. The value is the mean or the median of the votes that could be read; with fewer than ``quorum`` of them it is a
   failure, with the text of the first vote that failed.
3. The spread of the votes is recorded beside it: where it is great, one more vote would change the verdict.

As self-consistency for judges: Liu et al. 2025, "Inference-Time Scaling for Generalist Reward Modeling", arXiv
2504.02495. A reward that does not sample would vote k times the same, and is refused. Equal draws are not paid twice
in any case: the journal keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import Parts, source_of
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.rewards.combining import spread
from branchwise.orchestrator.rewards.wrapping import (
    R,
    WrapperOptions,
    inner_reward,
    scale_of,
    unscored,
)


class Options(WrapperOptions[R], Generic[R]):
    """Whose votes, and how many."""

    kind: Literal["voted"] = "voted"
    reward: R = Field(
        description="Who votes: a reward with a seed that samples its judgements.",
        examples=[{"kind": "flipped", "share": 0.2, "reward": {"kind": "calculator"}}],
    )
    votes: int = Field(4, ge=2, le=64, description="Judgements of each trajectory.")
    combine: Literal["mean", "median"] = Field("mean", description="What the votes that could be read become.")
    quorum: int = Field(1, ge=1, description="Votes that have to be readable.")

    @model_validator(mode="after")
    def _sampled(self) -> Self:
        if "seed" not in type(self.reward).model_fields or not getattr(self.reward, "temperature", 1.0):
            raise ValueError(
                f"{self.reward.kind} would cast the same vote each time: only sampled judgements are voted"
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
        return f"{self.reward.kind}, {self.combine} of {self.votes}"


@dataclass(frozen=True, slots=True)
class Voted:
    """The same reward model several times, each with a seed of its own."""

    options: Options[Any]
    voters: tuple[RewardModel, ...]

    @property
    def source(self) -> Source:
        return source_of(self.options)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """The mean or median vote on each, with its spread."""
        asked = [unscored(each) for each in trajectories]
        votes = await together([voter.score(asked) for voter in self.voters])
        return [self._elected(each) for each in zip(*votes, strict=True)]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of all votes."""
        bounds = [voter.bound(unscored(trajectory), max_new_tokens, max_new_steps) for voter in self.voters]
        return sum(bounds, NOTHING)

    def _elected(self, votes: Sequence[Judgement]) -> Judgement:
        values = [vote.value for vote in votes if vote.value is not None]
        if len(values) < self.options.quorum:
            lost = next(vote for vote in votes if vote.failure is not None)
            reason = lost.failure.message if lost.failure is not None else ""
            return failed(f"{len(values)} of {len(votes)} votes could be read: {reason}", self.source, lost.rationale)
        value = fmean(values) if self.options.combine == "mean" else median(values)
        factors = (("votes", float(len(values))), ("spread", spread(values)))
        return replace(judged(value, scale=self.options.scale, source=self.source), factors=factors)


def build(options: Options[Any], parts: Parts) -> Voted:
    """The voters, which differ in their seeds."""
    first: int = options.reward.seed
    seeded = [options.reward.model_copy(update={"seed": first + k}) for k in range(options.votes)]
    return Voted(options, tuple(inner_reward(each, parts) for each in seeded))
