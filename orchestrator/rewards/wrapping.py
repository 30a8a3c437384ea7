"""Wrapping: what rewards around one other reward have in common: its options, what they tell of it, and it itself.

A reward around another hands on the step scores that the other one gave, as it gave them: it may keep those it has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, TypeVar

from pydantic import Field

from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.options import JudgingOptions, Parts, module_of
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.reducers import Reducer

R = TypeVar("R", bound=JudgingOptions)
"""The options of the other reward."""


class WrapperOptions(JudgingOptions, Generic[R]):
    """Options of a reward around another one."""

    reward: R = Field(description="Who judges: another reward, with its options.", examples=[{"kind": "calculator"}])

    @property
    def model(self) -> str | None:
        """The model of the other reward, if it has one."""
        return getattr(self.reward, "model", None)

    @property
    def scores_steps(self) -> bool:
        """False where the other reward is known to give one value and no step scores."""
        return self.reward.scores_steps

    @property
    def reducer(self) -> Reducer | None:
        """How the other reward makes one value of its steps' values; None where it has but one verdict."""
        return getattr(self.reward, "reducer", None)


def scale_of(options: JudgingOptions) -> Scale:
    """The scale of a reward's values, as its options tell; a probability where they don't."""
    return getattr(options, "scale", "probability")


def inner_reward(options: JudgingOptions, parts: Parts) -> RewardModel:
    """The reward that these options are of."""
    reward: RewardModel = module_of(options).build(options, parts)
    return reward


def unscored(trajectory: Trajectory) -> Trajectory:
    """The trajectory without its steps' scores, where those are not of the reward that is asked."""
    if all(step.score is None for step in trajectory.steps):
        return trajectory
    return replace(trajectory, steps=tuple(replace(step, score=None) for step in trajectory.steps))
