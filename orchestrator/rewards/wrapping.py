"""Wrapping: what rewards made of other rewards have in common, their options and they themselves.

* A wrapper is around one reward: it has that one judge, and makes something of each judgement that is no failure.
* A panel is several rewards that judge the same, and whose verdicts become one.

A wrapper hands on the step scores that the other reward gave, as it gave them: that one may keep those it has. In a
panel nobody is shown the others' step scores.

Another reward may be anybody's: one that gives too many judgements or too few is a RewardFailure here, as it is where
nothing is around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import Field

from branchwise.orchestrator.core.errors import RewardFailure
from branchwise.orchestrator.core.judgement import Judgement, Scale, Source
from branchwise.orchestrator.core.options import JudgingOptions, Parts, module_of
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.rewards.bases import Base, O
from branchwise.orchestrator.rewards.reducers import Reducer

R = TypeVar("R", bound=JudgingOptions)
"""The options of the other reward."""


class WrapperOptions(JudgingOptions, Generic[R]):
    """Options of a reward around another one."""

    reward: R = Field(description="Who judges: another reward, with its options.", examples=[{"kind": "calculator"}])

    @property
    def scores_steps(self) -> bool:
        """As the other reward."""
        return self.reward.scores_steps

    @property
    def reducer(self) -> Reducer | None:
        """How the other reward makes one value of its steps' values; None where it has but one verdict."""
        return getattr(self.reward, "reducer", None)


@dataclass(frozen=True, slots=True)
class Wrapper(Base[O]):
    """A reward model around another one."""

    reward: RewardModel

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """What is made of the other reward's judgements; its failures stay failures."""
        judgements = await self.reward.score([self.shown(each) for each in trajectories])
        pairs = zip(judgements, trajectories, strict=True)
        return [one if one.value is None else self.made(one.value, one, of) for one, of in pairs]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of the other reward."""
        return self.reward.bound(trajectory, max_new_tokens, max_new_steps)

    def shown(self, trajectory: Trajectory) -> Trajectory:
        """What the other reward is shown of it: all."""
        return trajectory

    def made(self, value: float, judgement: Judgement, trajectory: Trajectory) -> Judgement:
        """What is made of the other's judgement of this value."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Panel(Base[O]):
    """Reward models that judge the same, and whose verdicts become one."""

    members: tuple[RewardModel, ...]

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """What all members say of each trajectory, made one."""
        shown = [unscored(each) for each in trajectories]
        judgements = await together([member.score(shown) for member in self.members])
        return [self.made(each) for each in zip(*judgements, strict=True)]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of all members."""
        bounds = [member.bound(unscored(trajectory), max_new_tokens, max_new_steps) for member in self.members]
        return sum(bounds, NOTHING)

    def made(self, judgements: Sequence[Judgement]) -> Judgement:
        """What is made of the members' judgements of one trajectory, in their order."""
        raise NotImplementedError


def scale_of(options: JudgingOptions) -> Scale:
    """The scale of a reward's values, as its options tell; a probability where they don't."""
    return getattr(options, "scale", "probability")


@dataclass(frozen=True, slots=True)
class Counted:
    """A reward model whose judgements are counted: one a trajectory, or RewardFailure."""

    reward: RewardModel

    @property
    def source(self) -> Source:
        return self.reward.source

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """The reward's judgements."""
        judgements = await self.reward.score(trajectories)
        if len(judgements) != len(trajectories):
            raise RewardFailure(f"{len(judgements)} judgements of {len(trajectories)} trajectories")
        return judgements

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """That of the reward."""
        return self.reward.bound(trajectory, max_new_tokens, max_new_steps)


def inner_reward(options: JudgingOptions, parts: Parts) -> RewardModel:
    """The reward that these options are of, counted."""
    return Counted(module_of(options).build(options, parts))


def reseeded_rewards(options: Sequence[Any], parts: Parts) -> tuple[RewardModel, ...]:
    """The members of a panel; those that are sampled have seeds of their own, so that equal ones draw apart."""
    return tuple(inner_reward(each.reseeded(k), parts) for k, each in enumerate(options))


def unscored(trajectory: Trajectory) -> Trajectory:
    """The trajectory without its steps' scores, where those are not of the reward that is asked."""
    if all(step.score is None for step in trajectory.steps):
        return trajectory
    return replace(trajectory, steps=tuple(replace(step, score=None) for step in trajectory.steps))
