"""Allocation over bins against vectors by hand, brute force, and its laws."""

import itertools
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.evaluation.allocation import Allocation, Bin, Measured, Mixture, allocate, hull, pooled

EASY = Bin(0.5, (Measured("cheap", 0.8, 10), Measured("dear", 0.82, 20)))
HARD = Bin(0.5, (Measured("cheap", 0.2, 10), Measured("dear", 0.5, 40)))
BINS = [EASY, HARD]


@pytest.mark.parametrize(
    ("budget", "easy", "hard", "accuracy", "cost", "price"),
    [
        (10.0, "cheap", ("cheap", 0.0), 0.5, 10.0, 0.01),
        (17.5, "cheap", ("cheap", 0.5), 0.575, 17.5, 0.01),  # 7.5 of the 15 that the step costs over all problems
        (25.0, "cheap", ("dear", 0.0), 0.65, 25.0, 0.002),
        (30.0, "dear", ("dear", 0.0), 0.66, 30.0, 0.0),
        (99.0, "dear", ("dear", 0.0), 0.66, 30.0, 0.0),
    ],
)
def test_by_hand(
    budget: float, easy: str, hard: tuple[str, float], accuracy: float, cost: float, price: float
) -> None:
    found = allocate(BINS, budget)
    assert found.mixtures[0].strategy.strategy == easy
    assert (found.mixtures[1].strategy.strategy, found.mixtures[1].share) == hard
    assert (found.accuracy, found.cost) == pytest.approx((accuracy, cost))
    assert found.price == pytest.approx(price)


def test_looking_at_difficulty_is_worth_three_points_here() -> None:
    single = allocate([pooled(BINS)], 25)
    assert single.accuracy == pytest.approx(0.5 + 0.75 * 0.16)
    assert allocate(BINS, 25).accuracy - single.accuracy == pytest.approx(0.03)


def test_too_small_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="costs 10 a problem, 9 is too little"):
        allocate(BINS, 9)
    with pytest.raises(ValueError, match="too little"):
        allocate(BINS, math.nan)


def test_the_hull_drops_what_a_mixture_beats() -> None:
    points = {
        "a": (0.3, 1),
        "b": (0.5, 1),
        "c": (0.4, 2),
        "d": (0.52, 3),
        "e": (0.75, 5),
        "f": (0.875, 9),
        "g": (1.0, 13),
    }
    measured = [Measured(name, accuracy, cost) for name, (accuracy, cost) in points.items()]
    assert [one.strategy for one in hull(measured)] == ["b", "e", "g"]  # f lies on the line from e to g
    assert [one.strategy for one in hull(measured[::-1])] == ["b", "e", "g"]


def test_pooling_weighs_bins_by_their_share() -> None:
    pool = pooled([Bin(0.2, EASY.measured), Bin(0.6, HARD.measured)])
    assert pool.share == pytest.approx(0.8)
    assert [(one.strategy, one.accuracy, one.cost) for one in pool.measured] == [
        ("cheap", pytest.approx(0.35), pytest.approx(10)),
        ("dear", pytest.approx(0.58), pytest.approx(35)),
    ]
    with pytest.raises(ValueError, match="not every strategy"):
        pooled([EASY, Bin(0.5, HARD.measured[:1])])


tenths = st.integers(0, 20).map(lambda value: value / 10)
strategies = st.lists(st.tuples(tenths, tenths), min_size=1, max_size=4)
some_bins = st.lists(st.tuples(st.integers(0, 5), strategies), min_size=1, max_size=3)


def made(drawn: list[tuple[int, list[tuple[float, float]]]]) -> list[Bin]:
    whole = sum(share for share, _ in drawn) or 1
    return [
        Bin(share / whole, tuple(Measured(str(k), accuracy, cost) for k, (accuracy, cost) in enumerate(points)))
        for share, points in drawn
    ]


def mixed(low: Measured, high: Measured, left: float) -> Mixture | None:
    """As much of the second as a bin's own budget ``left`` allows; None where not even the first fits."""
    if low.cost > left + 1e-9:
        return None
    return Mixture(low, high, 1.0 if high.cost <= left else (left - low.cost) / (high.cost - low.cost))


def brute(bins: list[Bin], budget: float) -> Iterator[float]:
    """The accuracy of every choice of one strategy a bin in which one bin may mix two of them."""
    for assigned in itertools.product(*(each.measured for each in bins)):
        for k, other in itertools.product(range(len(bins)), (one for each in bins for one in each.measured)):
            if other not in bins[k].measured or bins[k].share == 0:
                continue
            rest = [j for j in range(len(bins)) if j != k]
            left = (budget - sum(bins[j].share * assigned[j].cost for j in rest)) / bins[k].share
            mixture = mixed(assigned[k], other, left)
            if mixture is not None:
                yield sum(bins[j].share * assigned[j].accuracy for j in rest) + bins[k].share * mixture.accuracy


@given(some_bins, tenths)
def test_no_choice_with_one_mixture_is_better(
    drawn: list[tuple[int, list[tuple[float, float]]]], more: float
) -> None:
    bins = made(drawn)
    least = sum(each.share * min(one.cost for one in each.measured) for each in bins)
    budget = least + more + 1e-9
    found = allocate(bins, budget)
    assert found.cost <= budget + 1e-9
    best = max(brute(bins, budget), default=0.0)
    assert found.accuracy == pytest.approx(best, abs=1e-6)
    assert sum(mixture.other is not None for mixture in found.mixtures) <= 1


@given(some_bins, tenths, tenths)
def test_more_budget_is_never_worse_and_pays_less_and_less(
    drawn: list[tuple[int, list[tuple[float, float]]]], one: float, other: float
) -> None:
    bins = made(drawn)
    least = sum(each.share * min(m.cost for m in each.measured) for each in bins) + 1e-9
    small, big = (allocate(bins, least + more) for more in sorted((one, other)))
    assert small.accuracy <= big.accuracy + 1e-9
    assert small.price >= big.price
    gained, spent = big.accuracy - small.accuracy, abs(one - other)
    assert gained <= small.price * spent + 1e-6  # the multiplier bounds what more budget brings


def test_an_allocation_says_what_it_is_made_of() -> None:
    found = allocate(BINS, 17.5)
    assert isinstance(found, Allocation)
    assert found.mixtures[1] == Mixture(HARD.measured[0], HARD.measured[1], 0.5)
    assert (found.mixtures[1].accuracy, found.mixtures[1].cost) == (0.35, 25.0)
