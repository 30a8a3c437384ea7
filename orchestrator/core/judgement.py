"""Judgement: what a reward model thinks of a trajectory, with its scale, or why it could not think anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from branchwise.orchestrator.core.errors import Failure

Scale = Literal["probability", "logit", "raw"]
Source = Literal["learned", "judge", "rule", "tool", "oracle"]
STRONGEST: Final[tuple[Source, ...]] = ("oracle", "judge", "learned", "tool", "rule")
"""The source of what several had a part in is the first of these that one of them has."""


GREATEST: Final = 1e100
"""A score above it, or below its negative, is a fault of who gave it: sums and squares of all others stay finite."""


def usable(*scores: float) -> bool:
    """Whether these are numbers that can be reckoned with: finite, and no greater than ``GREATEST``."""
    return all(abs(score) <= GREATEST for score in scores)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A usable ``value`` on its declared scale, or a failure; never a silent 0 and never NaN.

    ``step_values`` has one entry a step of the trajectory; ``value`` is what the reward model's own reducer
    made of them. ``factors`` are named parts of the value.
    """

    value: float | None
    scale: Scale = "probability"
    source: Source = "rule"
    step_values: tuple[float, ...] = ()
    factors: tuple[tuple[str, float], ...] = ()
    rationale: str | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.failure is None):
            raise ValueError("a judgement holds either a value or a failure")
        if self.value is not None and not usable(self.value, *self.step_values):
            raise ValueError("a judgement's values are usable; use judged() to turn others into a failure")


def failed(message: str, source: Source = "rule", text: str | None = None) -> Judgement:
    """A judgement that could not be made; ``text`` is what the judge said instead."""
    return Judgement(None, source=source, rationale=text, failure=Failure("reward", message))


def judged(value: float, *, scale: Scale, source: Source, step_values: tuple[float, ...] = ()) -> Judgement:
    """A judgement of ``value``, or a failure where it or one of its steps is no usable number."""
    if not usable(value, *step_values):
        return failed(f"the reward is not a finite number: {value} over {step_values}", source)
    return Judgement(value, scale, source, step_values)
