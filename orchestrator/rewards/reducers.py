"""Reducers: one value out of the scores of a trajectory's steps.

Which one fits is a property of how a reward model was trained (scores that predict success: ``last``; scores
that say whether a step is right: ``min`` or ``product``), so it is always named, never implied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal

Reducer = Literal["last", "min", "product", "mean", "max"]
RawReducer = Literal["last", "min", "product", "mean", "max", "sum"]
"""For scores that are no probabilities."""

REDUCERS: Final[dict[RawReducer, Callable[[Sequence[float]], float]]] = {
    "last": lambda values: values[-1],
    "min": min,
    "product": math.prod,
    "mean": lambda values: math.fsum(values) / len(values),
    "max": max,
    "sum": math.fsum,
}


def reduced(reducer: RawReducer, values: Sequence[float]) -> float:
    """One value out of step scores in their order; ValueError where there is none, NaN where one is NaN."""
    if not values:
        raise ValueError("no step scores to reduce")
    if any(map(math.isnan, values)):
        return math.nan
    return REDUCERS[reducer](values)
