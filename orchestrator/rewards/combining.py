"""Combining: one value out of what the members of an ensemble say of one answer.

A pessimistic rule (``min``, ``mean_minus_std``) trusts an answer only where the members agree. Members that share
their pre-training err together, so that unanimity is no proof: Eisenstein et al. 2023, "Helping or Herding?", arXiv
2312.09244. Standard deviation and variance are the population's. ``soft_and`` takes log-probabilities, and gives the
probability of all together if they are independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, median, pstdev, pvariance
from typing import Final, Literal

Combination = Literal["mean", "median", "min", "mean_minus_std", "mean_minus_variance", "soft_and"]

COMBINATIONS: Final[dict[Combination, Callable[[Sequence[float]], float]]] = {
    "mean": fmean,
    "median": median,
    "min": min,
    "mean_minus_std": lambda values: fmean(values) - pstdev(values),
    "mean_minus_variance": lambda values: fmean(values) - pvariance(values),
    "soft_and": lambda values: math.exp(math.fsum(values)),
}


def combined(rule: Combination, values: Sequence[float]) -> float:
    """One value out of the members' usable ones; ValueError where there is none."""
    if not values:
        raise ValueError("an ensemble has at least one member")
    return float(COMBINATIONS[rule](values))
