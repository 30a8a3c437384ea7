"""Allocation: which strategy for which bin of problems, so that a budget brings the greatest accuracy.

1. Of each bin, keep the strategies on the upper concave hull over cost: no mixture of others is more accurate there.
2. Give every bin its cheapest one.
3. Of all steps up along the hulls, take the one that buys the most accuracy for its cost, then the next, until the
   budget is spent. The last step may be taken in part: its bin then mixes two strategies.

On a hull each step buys less than the one before, so no step is ever wanted before those below it, and the result is
the optimum where mixtures are allowed: of the multiple-choice knapsack problem, relaxed. What the last step buys for
its cost is the Lagrange multiplier of the budget. At most one bin has a mixture.

Sinha and Zoltners 1979, "The multiple-choice knapsack problem", Operations Research 27:503-515.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum


@dataclass(frozen=True, slots=True)
class Measured:
    """What a strategy brought on a bin's problems: its accuracy, and its cost a problem."""

    strategy: str
    accuracy: float
    cost: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Problems of like difficulty: their share of all, and what each strategy brought on them."""

    share: float
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Mixture:
    """A strategy for a bin; ``share`` of the bin's problems, none or all but some, get ``other`` instead."""

    strategy: Measured
    other: Measured | None = None
    share: float = 0.0

    @property
    def accuracy(self) -> float:
        """Expected, of the bin's problems."""
        return self._mean(self.strategy.accuracy, self.other.accuracy if self.other else 0.0)

    @property
    def cost(self) -> float:
        """Expected, a problem."""
        return self._mean(self.strategy.cost, self.other.cost if self.other else 0.0)

    def _mean(self, one: float, other: float) -> float:
        return (1 - self.share) * one + self.share * other


@dataclass(frozen=True, slots=True)
class Allocation:
    """A mixture a bin, with the accuracy and the cost a problem that are expected over all.

    ``price`` is the accuracy that one more unit of cost would buy: 0 where nothing more is to be had.
    """

    mixtures: tuple[Mixture, ...]
    accuracy: float
    cost: float
    price: float


@dataclass(frozen=True, slots=True)
class _Step:
    """From a strategy of a bin to the next one on its hull."""

    bin: int
    up_to: Measured
    cost: float
    rate: float


def allocate(bins: Sequence[Bin], budget: float) -> Allocation:
    """The best allocation at a cost a problem of at most ``budget``. ValueError where the cheapest costs more."""
    hulls = [hull(each.measured) for each in bins]
    mixtures = [Mixture(kept[0]) for kept in hulls]
    left = budget - fsum(each.share * kept[0].cost for each, kept in zip(bins, hulls, strict=True))
    if not left >= 0:
        raise ValueError(
            f"the cheapest strategy of each bin costs {budget - left:g} a problem, {budget:g} is too little"
        )
    price = 0.0
    for step in sorted(_steps(bins, hulls), key=lambda each: -each.rate):
        if step.cost > left:
            price = step.rate
            if left > 0:
                mixtures[step.bin] = Mixture(mixtures[step.bin].strategy, step.up_to, left / step.cost)
            break
        mixtures[step.bin] = Mixture(step.up_to)
        left -= step.cost
    return _allocation(bins, mixtures, price)


def pooled(bins: Sequence[Bin]) -> Bin:
    """All problems as one bin. ValueError where not every strategy was measured on every bin."""
    strategies = [[one.strategy for one in each.measured] for each in bins]
    if any(names != strategies[0] for names in strategies):
        raise ValueError("not every strategy was measured on every bin")
    share = fsum(each.share for each in bins)

    def mean(values: list[float]) -> float:
        return fsum(each.share * value for each, value in zip(bins, values, strict=True)) / share

    columns = zip(*(each.measured for each in bins), strict=True)
    measured = (
        Measured(column[0].strategy, mean([one.accuracy for one in column]), mean([one.cost for one in column]))
        for column in columns
    )
    return Bin(share, tuple(measured))


def hull(measured: Sequence[Measured]) -> list[Measured]:
    """The upper concave hull, cheapest first: each costs more than the one before, and buys less for it."""
    kept = list[Measured]()
    for one in sorted(measured, key=lambda each: (each.cost, -each.accuracy)):
        if kept and one.accuracy <= kept[-1].accuracy:
            continue
        while len(kept) > 1 and _rate(kept[-2], kept[-1]) <= _rate(kept[-1], one):
            kept.pop()
        kept.append(one)
    return kept


def _steps(bins: Sequence[Bin], hulls: Sequence[Sequence[Measured]]) -> Iterator[_Step]:
    for index, (each, kept) in enumerate(zip(bins, hulls, strict=True)):
        for low, high in pairwise(kept):
            yield _Step(index, high, each.share * (high.cost - low.cost), _rate(low, high))


def _rate(low: Measured, high: Measured) -> float:
    """Accuracy bought for one unit of cost."""
    return (high.accuracy - low.accuracy) / (high.cost - low.cost)


def _allocation(bins: Sequence[Bin], mixtures: Sequence[Mixture], price: float) -> Allocation:
    both = list(zip(bins, mixtures, strict=True))
    accuracy = fsum(each.share * mixture.accuracy for each, mixture in both)
    return Allocation(tuple(mixtures), accuracy, fsum(each.share * mixture.cost for each, mixture in both), price)
