"""The first-error metric: what is predicted, both accuracies, F1, the threshold; where the weakest step stands."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.evaluation.first_error import (
    Located,
    best_threshold,
    detection,
    f1_interval,
    harmonic_mean,
    predicted_first_error,
    weakest_is_last,
    weakest_last_share,
)

SCORES = st.lists(st.floats(0, 1), max_size=6)


@pytest.mark.parametrize(
    ("scores", "first"),
    [((0.9, 0.6, 0.95), None), ((0.9, 0.4, 0.2), 1), ((0.5,), None), ((0.4999,), 0), ((), None)],
)
def test_the_first_step_below_the_threshold(scores: tuple[float, ...], first: int | None) -> None:
    assert predicted_first_error(scores, 0.5) == first


def test_a_score_that_is_no_number_is_no_silent_pass() -> None:
    with pytest.raises(ValueError, match="not a number"):
        predicted_first_error([0.9, math.nan], 0.5)


def test_the_harmonic_mean_of_the_published_example() -> None:
    assert harmonic_mean(0.4, 0.9) == pytest.approx(0.5538, abs=5e-5)
    assert harmonic_mean(0.0, 0.0) == 0.0


def solutions() -> list[Located]:
    """Two of five errors found, nine of ten right solutions left alone."""
    found = [Located((0.9, 0.2, 0.9), 1)] * 2
    missed = [Located((0.9, 0.9, 0.9), 1), Located((0.2, 0.2), 1), Located((0.9, 0.8, 0.1), 1)]
    return found + missed + [Located((0.9, 0.8), None)] * 9 + [Located((0.9, 0.1), None)]


def test_accuracies_are_counted_apart() -> None:
    found = detection(solutions(), 0.5)
    assert (found.on_erroneous, found.on_correct) == (0.4, 0.9)
    assert (found.erroneous, found.correct) == (5, 10)
    assert found.f1 == pytest.approx(0.5538, abs=5e-5)


def test_without_one_sort_there_is_no_f1() -> None:
    assert detection([Located((0.9,), None)], 0.5).f1 is None
    assert detection([], 0.5).on_correct is None
    with pytest.raises(ValueError, match="an error and solutions without"):
        best_threshold([Located((0.9,), None)], [0.5])


def test_the_threshold_is_that_of_the_greatest_f1() -> None:
    tried = [k / 100 for k in range(101)]
    assert best_threshold([Located((0.9, 0.7), 1), Located((0.9, 0.8), None)], tried) == 0.71
    assert best_threshold([Located((0.9, 0.7), 1), Located((0.9, 0.8), None)], [0.75, 0.8]) == 0.75


@given(st.lists(st.tuples(SCORES, st.none() | st.integers(0, 5)), max_size=8), st.floats(0, 1))
def test_shares_are_shares(drawn: list[tuple[list[float], int | None]], threshold: float) -> None:
    found = detection([Located(tuple(scores), first) for scores, first in drawn], threshold)
    assert found.erroneous + found.correct == len(drawn)
    assert all(share is None or 0 <= share <= 1 for share in (found.on_erroneous, found.on_correct, found.f1))


def test_weakest_last_is_strict_and_needs_several_steps() -> None:
    assert weakest_is_last((0.9, 0.6, 0.5))
    assert not weakest_is_last((0.9, 0.5, 0.5))
    assert not weakest_is_last((0.5,))
    assert weakest_last_share([(0.9, 0.5), (0.5, 0.9), (0.1,), ()]) == 0.5
    assert weakest_last_share([(0.1,)]) is None


def test_the_interval_of_f1_holds_it_and_comes_from_the_seed() -> None:
    found = detection(solutions(), 0.5)
    interval = f1_interval(found, Random(1))
    assert interval == f1_interval(found, Random(1))
    assert interval is not None
    assert found.f1 is not None
    assert 0 <= interval.low < found.f1 < interval.high <= 1
    assert f1_interval(detection([Located((0.9,), None)], 0.5), Random(1)) is None
