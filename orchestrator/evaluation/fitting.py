"""Fitting: from what each strategy did on problems set apart, where bins end and what each of them gets.

1. Sort the problems by how easy they looked after the first pass, those of which nothing could be said first.
2. Cut them into as many quantiles as bins are wanted; equally easy problems stay together, so there may be fewer.
3. Of each bin, take each strategy's share of right answers and its mean cost, and allocate (allocation.py).

What comes out is best on these very problems, so it promises more than it keeps. ``held_out`` chooses on one half of
them and counts on the other, and the other way round.

Snell et al., arXiv 2408.03314, section 3.2: five quantiles; chosen and counted on two folds.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from branchwise.orchestrator.evaluation.allocation import Allocation, Bin, Measured, allocate


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a strategy did on a problem: right or wrong, its cost after the first pass (with it), and without one."""

    correct: bool
    cost: float
    alone: float


@dataclass(frozen=True, slots=True)
class Row:
    """One problem: how easy it looked (None: nothing could be said), and each strategy's attempt."""

    ease: float | None
    attempts: Mapping[str, Attempt]


@dataclass(frozen=True, slots=True)
class Fitted:
    """The easiest problem of each bin but the last, the bins, and what each of them gets."""

    thresholds: tuple[float, ...]
    bins: tuple[Bin, ...]
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Kept:
    """What an allocation brought on problems that it was not chosen on."""

    accuracy: float
    cost: float


def fit(rows: Sequence[Row], budget: float, count: int = 5) -> Fitted:
    """The best allocation over ``count`` quantiles. ValueError where there are no rows or too small a budget."""
    cuts = thresholds([row.ease for row in rows], count)
    bins = table(rows, cuts)
    return Fitted(cuts, tuple(bins), allocate(bins, budget))


def held_out(rows: Sequence[Row], budget: float, count: int = 5) -> Kept:
    """What to expect of problems not seen yet: each half of the rows under what was fitted to the other half."""
    halves = rows[0::2], rows[1::2]
    kept = [apply(fit(halves[1 - k], budget, count), half) for k, half in enumerate(halves)]
    weights = [len(half) for half in halves]
    return Kept(fmean([each.accuracy for each in kept], weights), fmean([each.cost for each in kept], weights))


def thresholds(eases: Sequence[float | None], count: int) -> tuple[float, ...]:
    """Where ``count`` quantiles end, each at a value that occurs and belongs to it; the last one ends nowhere."""
    ranked = sorted(-math.inf if ease is None else ease for ease in eases)
    ends = {ranked[math.ceil(k * len(ranked) / count) - 1] for k in range(1, count)} if ranked else set()
    return tuple(sorted(ends - {-math.inf, ranked[-1]})) if ranked else ()


def table(rows: Sequence[Row], cuts: Sequence[float]) -> list[Bin]:
    """The bins that these thresholds make, with what each strategy brought after the first pass."""
    binned: list[list[Row]] = [[] for _ in range(len(cuts) + 1)]
    for row in rows:
        binned[bin_of(row.ease, cuts)].append(row)
    return [Bin(len(each) / len(rows), measured(each, lambda attempt: attempt.cost)) for each in binned]


def bin_of(ease: float | None, cuts: Sequence[float]) -> int:
    """The bin of a problem: the first whose threshold it does not exceed, and the hardest where nothing is known."""
    return 0 if ease is None else bisect_left(cuts, ease)


def measured(rows: Sequence[Row], cost: Callable[[Attempt], float]) -> tuple[Measured, ...]:
    """Each strategy's accuracy and mean cost on these problems. ValueError where there are none."""
    if not rows:
        raise ValueError("there are no problems to measure on")
    return tuple(
        Measured(
            name,
            fmean(row.attempts[name].correct for row in rows),
            fmean(cost(row.attempts[name]) for row in rows),
        )
        for name in rows[0].attempts
    )


def apply(fitted: Fitted, rows: Sequence[Row]) -> Kept:
    """What an allocation brings on these problems, mixtures by their shares."""
    accuracy, cost = list[float](), list[float]()
    for row in rows:
        mixture = fitted.allocation.mixtures[bin_of(row.ease, fitted.thresholds)]
        one = row.attempts[mixture.strategy.strategy]
        other = row.attempts[mixture.other.strategy] if mixture.other else one
        accuracy.append((1 - mixture.share) * one.correct + mixture.share * other.correct)
        cost.append((1 - mixture.share) * one.cost + mixture.share * other.cost)
    return Kept(fmean(accuracy), fmean(cost))
