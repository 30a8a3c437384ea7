"""Gated: another reward, never asked about a finished answer that is empty, only punctuation or a mere opener.

1. A finished answer without content (rewards/content.py says what that is) is refused: a failure, which is counted
   and ranks behind every answer that was judged.
2. Everything else goes to the other reward as it is, what is still growing in any case.

Judges say yes to such "master keys": Zhao et al. 2025, arXiv 2507.08794.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal

from branchwise.orchestrator.core.judgement import Judgement, Scale, failed
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.roles import Answering
from branchwise.orchestrator.core.together import arrived
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.content import refusal
from branchwise.orchestrator.rewards.wrapping import R, Wrapper, WrapperOptions, inner_reward, scale_of


class Options(WrapperOptions[R], Generic[R]):
    """Who judges what passes."""

    kind: Literal["gated"] = "gated"

    @property
    def scale(self) -> Scale:
        """That of the other reward."""
        return scale_of(self.reward)

    @property
    def described(self) -> str:
        """What a table calls it."""
        return f"{self.reward.described}, gated"


@dataclass(frozen=True, slots=True)
class Gated(Wrapper[Options[Any]]):
    """A reward model behind a gate."""

    answer: Answering

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """The other reward's judgements of what has content, and failures for the rest."""
        refusals = [await self._refusal(each) for each in trajectories]
        passed = [each for each, reason in zip(trajectories, refusals, strict=True) if reason is None]
        judgements = iter(await self.reward.score(passed))
        return [
            next(judgements) if reason is None else failed(reason, self.source, each.text)
            for each, reason in zip(trajectories, refusals, strict=True)
        ]

    async def _refusal(self, trajectory: Trajectory) -> str | None:
        if not trajectory.terminal:
            return None
        answer = await arrived(self.answer(trajectory))
        return refusal(trajectory.text, answer.text if answer is not None else None)


def build(options: Options[Any], parts: Parts) -> Gated:
    """The gate before the other reward."""
    return Gated(options, inner_reward(options.reward, parts), parts.answer)
