"""World: what the task's world has given so far, for searches that are steered by the outcome.

1. A step's value is the reward of its action; the trajectory's is their sum, discounted by ``discount`` a step.
2. A trajectory that was not acted out in a world can't be judged.

The world knows the true outcome, so its source is ``oracle``: a score steered by it is not one that a policy without
that world could have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.judgement import Judgement, Scale, Source, failed, judged
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.bases import Pure


class Options(JudgingOptions):
    """How rewards on the way become one value."""

    kind: Literal["world"] = "world"
    source: ClassVar[Source] = "oracle"
    wants_world: ClassVar[bool] = True
    discount: float = Field(1.0, gt=0, le=1, description="What a reward loses with each step before it.")
    scale: Scale = Field("probability", description="probability: rewards add up to 0 to 1; raw: any finite number.")


@dataclass(frozen=True, slots=True)
class WorldReward(Pure[Options]):
    """A reward model that reads what the world gave."""

    def score_one(self, trajectory: Trajectory) -> Judgement:
        """The discounted sum of its rewards."""
        rewards = [step.reward for step in trajectory.steps if step.reward is not None]
        if len(rewards) < len(trajectory.steps):
            return failed("not every step was acted out in a world", self.source)
        total = math.fsum(reward * self.options.discount**n for n, reward in enumerate(rewards))
        if self.options.scale == "probability" and not 0 <= total <= 1:
            return failed(f"rewards that add up to {total:g} are no probability; use scale: raw", self.source)
        return judged(total, scale=self.options.scale, source=self.source, step_values=tuple(rewards))


def build(options: Options, parts: Parts) -> WorldReward:
    """The reward model."""
    return WorldReward(options)
