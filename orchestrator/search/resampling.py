"""Resampling: which particles go on, and in how many copies, by their weights. Pure; all in log space.

Each scheme draws ``count`` ancestors so that particle i is expected ``count * w_i`` times:

- ``multinomial``: independent draws.
- ``stratified``: one draw in each of ``count`` equal parts of [0, 1).
- ``systematic``: the same place in each part: every count is ``count * w_i`` rounded down or up.
- ``residual``: the whole part of ``count * w_i`` for sure, the remainders by multinomial draws.

Douc, Cappe and Moulines 2005, "Comparison of resampling schemes for particle filtering".
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Final, Literal

Scheme = Literal["systematic", "stratified", "multinomial", "residual"]
ZERO: Final = -math.inf
"""The log of a weight of nothing."""


def normalised(log_weights: Sequence[float]) -> list[float]:
    """The weights, summing to 1; uniform if all are zero. ValueError where one is NaN or infinite."""
    if any(math.isnan(one) or one == math.inf for one in log_weights):
        raise ValueError(f"log-weights are finite, or minus infinity: {list(log_weights)}")
    greatest = max(log_weights, default=0.0)
    if greatest == ZERO:
        return [1 / len(log_weights)] * len(log_weights)
    weights = [math.exp(one - greatest) for one in log_weights]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def effective_size(log_weights: Sequence[float]) -> float:
    """How many equally weighted particles these are worth: 1 / sum of the squared weights, in [1, K]."""
    return 1 / math.fsum(weight * weight for weight in normalised(log_weights))


def log_mean(log_weights: Sequence[float]) -> float:
    """The log of the mean weight."""
    greatest = max(log_weights)
    if greatest == ZERO:
        return ZERO
    return greatest + math.log(math.fsum(math.exp(one - greatest) for one in log_weights) / len(log_weights))


def resample(scheme: Scheme, log_weights: Sequence[float], count: int, rng: random.Random) -> list[int]:
    """The ancestors of ``count`` particles, as indices in ascending order."""
    weights = normalised(log_weights)
    match scheme:
        case "multinomial":
            return _multinomial(weights, count, rng)
        case "stratified":
            return _at(weights, [(part + rng.random()) / count for part in range(count)])
        case "systematic":
            place = rng.random()
            return _at(weights, [(part + place) / count for part in range(count)])
        case "residual":
            return _residual(weights, count, rng)


def _multinomial(weights: Sequence[float], count: int, rng: random.Random) -> list[int]:
    return _at(weights, sorted(rng.random() for _ in range(count)))


def _residual(weights: Sequence[float], count: int, rng: random.Random) -> list[int]:
    sure = [math.floor(count * weight) for weight in weights]
    rest = count - sum(sure)
    ancestors = [index for index, copies in enumerate(sure) for _ in range(copies)]
    if rest:
        left = [count * weight - copies for weight, copies in zip(weights, sure, strict=True)]
        total = math.fsum(left)
        ancestors += _multinomial([one / total for one in left], rest, rng)
    return sorted(ancestors)


def _at(weights: Sequence[float], places: Iterable[float]) -> list[int]:
    """Whose share of [0, 1) each place lies in; the places ascend. A weight of zero has no share."""
    last = max(index for index, weight in enumerate(weights) if weight > 0)
    found, index, end = [], 0, weights[0]
    for place in places:
        while place >= end and index < last:  # the shares may add up to a little less than 1
            index += 1
            end += weights[index]
        found.append(index)
    return found
