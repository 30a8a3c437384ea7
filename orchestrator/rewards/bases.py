"""Bases: what reward models have in common that judge each trajectory by itself.

* A ``Single`` asks models, about all trajectories at the same time.
* A ``Pure`` asks none: it reckons, and is free.

Each of them has its options, and one method of its own, ``score_one``. What is made of other rewards: wrapping.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from branchwise.orchestrator.core.judgement import Judgement, Source
from branchwise.orchestrator.core.options import JudgingOptions, source_of
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage

O = TypeVar("O", bound=JudgingOptions)  # noqa: E741
"""A reward's own options."""


@dataclass(frozen=True, slots=True)
class Single(Generic[O]):
    """A reward model that asks models about each trajectory by itself; it also has ``bound``."""

    options: O

    @property
    def source(self) -> Source:
        return source_of(self.options)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """A judgement each, in order; all are asked for at the same time."""
        return await together([self.score_one(each) for each in trajectories])

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """What it thinks of one trajectory, or why it can't think anything."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Pure(Generic[O]):
    """A reward model that asks no model."""

    options: O

    @property
    def source(self) -> Source:
        return source_of(self.options)

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """A judgement each, in order."""
        return [self.score_one(each) for each in trajectories]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """Nothing: no model is asked."""
        return NOTHING

    def score_one(self, trajectory: Trajectory) -> Judgement:
        """What it thinks of one trajectory, or why it can't think anything."""
        raise NotImplementedError
