"""Bases: what reward models have in common.

* Each has its options, which say where its judgements come from.
* A ``Single`` judges each trajectory by itself and asks models, about all of them at the same time.
* A ``Pure`` does, too, but asks none: it reckons, and is free.

A single or a pure one has one method of its own, ``score_one``. What is made of other rewards: wrapping.py.
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
class Base(Generic[O]):
    """A reward model of these options; it also has ``score`` and ``bound``."""

    options: O

    @property
    def source(self) -> Source:
        return source_of(self.options)


@dataclass(frozen=True, slots=True)
class Single(Base[O]):
    """A reward model that asks models about each trajectory by itself; it also has ``bound``."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """A judgement each, in order; all are asked for at the same time."""
        return await together([self.score_one(each) for each in trajectories])

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """What it thinks of one trajectory, or why it can't think anything."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Pure(Base[O]):
    """A reward model that asks no model."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        """A judgement each, in order."""
        return [self.score_one(each) for each in trajectories]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """Nothing: no model is asked."""
        return NOTHING

    def score_one(self, trajectory: Trajectory) -> Judgement:
        """What it thinks of one trajectory, or why it can't think anything."""
        raise NotImplementedError
