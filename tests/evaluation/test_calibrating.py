"""Fitted curves against figures worked out by hand, and the expected calibration error."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.calibration import Platt
from branchwise.orchestrator.core.selection import logistic
from branchwise.orchestrator.evaluation.calibrating import (
    Graded,
    Method,
    area_under_roc,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    fitted,
    gain,
    reliability,
)

SURE = 2 * math.log(3)  # the log-odds of 0.9
LOGITS = [SURE] * 4 + [-SURE] * 4
THREE_OF_FOUR = [True, True, True, False, False, False, False, True]


def test_temperature_by_hand() -> None:
    """Three of four right where 0.9 was said: T = 2 makes 0.75 of it."""
    assert fit_temperature(LOGITS, THREE_OF_FOUR).temperature == pytest.approx(2.0)
    assert fit_temperature([math.log(3)] * 4, THREE_OF_FOUR[:4]).temperature == pytest.approx(1.0)


def test_platt_by_hand() -> None:
    """The targets are 5/6 and 1/6, so the upper four have the mean 2/3: slope * 2 ln 3 = ln 2, and no intercept."""
    curve = fit_platt(LOGITS, THREE_OF_FOUR)
    assert curve.slope == pytest.approx(math.log(2) / SURE)
    assert curve.intercept == pytest.approx(0.0, abs=1e-9)


def test_platt_of_equal_values_is_the_share_that_was_right() -> None:
    curve = fit_platt([5.0] * 8, [True] * 6 + [False] * 2)
    assert curve.chance(5.0, "raw") == pytest.approx((6 * 7 / 8 + 2 * 1 / 4) / 8)


def test_platt_stays_finite_where_the_values_separate_right_from_wrong() -> None:
    curve = fit_platt([-1000.0, -999.0, 999.0, 1000.0], [False, False, True, True])
    assert 0.5 < curve.chance(1000.0, "raw") < 1.0


def test_platt_finds_the_curve_that_the_outcomes_came_from() -> None:
    rng = Random(1)
    values = [rng.uniform(-3, 3) for _ in range(4000)]
    curve = fit_platt(values, [rng.random() < logistic(1.5 * x - 0.5) for x in values])
    assert (curve.slope, curve.intercept) == (pytest.approx(1.5, abs=0.15), pytest.approx(-0.5, abs=0.15))


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (-1e6, 1.0), (1e6, 1e-3), (25.0, 3.0), (0.0, 1e8)])
def test_platt_is_the_best_curve_wherever_the_values_lie(offset: float, scale: float) -> None:
    """At the least cross entropy its slope is 0 in both parameters."""
    rng = Random(1)
    standard = [rng.gauss(0, 1) for _ in range(300)]
    correct = [rng.random() < logistic(2 * x) for x in standard]
    curve = fit_platt([offset + scale * x for x in standard], correct)
    right, wrong = sum(correct), len(correct) - sum(correct)
    targets = [(right + 1) / (right + 2) if each else 1 / (wrong + 2) for each in correct]
    errors = [curve.chance(offset + scale * x, "raw") - t for x, t in zip(standard, targets, strict=True)]
    assert math.fsum(errors) == pytest.approx(0, abs=1e-3)
    assert math.fsum(e * x for e, x in zip(errors, standard, strict=True)) == pytest.approx(0, abs=1e-3)


def test_area_under_roc_by_hand() -> None:
    """Of 2 x 3 pairs four are in order, and one is a tie."""
    graded = [Graded(value, correct) for value, correct in [(1, False), (2, True), (2, False), (3, False), (4, True)]]
    assert area_under_roc(graded) == pytest.approx((1 + 0.5 + 3) / 6)
    assert area_under_roc([replace(each, value=5.0) for each in graded]) == 0.5
    with pytest.raises(ValueError, match="right answers are told from wrong ones"):
        area_under_roc(graded[:1])


def test_gain_of_a_curve_that_falls() -> None:
    graded = [Graded(0.2, True), Graded(0.8, False), Graded(0.5, True)]
    assert gain(Platt(slope=-1.0, intercept=0.0), graded, "probability") == pytest.approx(-0.6)


def test_isotonic_by_hand() -> None:
    curve = fit_isotonic([1.0, 2.0, 3.0, 4.0, 5.0], [False, True, False, True, True])
    assert curve.values == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert curve.chances == (0.0, 0.5, 0.5, 1.0, 1.0)
    assert curve.chance(1.5, "raw") == 0.25


def test_isotonic_pools_equal_values_first() -> None:
    curve = fit_isotonic([1.0, 1.0, 2.0], [True, False, True])
    assert (curve.values, curve.chances) == ((1.0, 2.0), (0.5, 1.0))
    assert fit_isotonic([1.0, 2.0], [True, False]).chances == (0.5, 0.5)


@given(st.lists(st.tuples(st.floats(-100, 100), st.booleans()), min_size=1, max_size=30))
def test_isotonic_is_a_curve_of_the_same_mean(pairs: list[tuple[float, bool]]) -> None:
    values, correct = [value for value, _ in pairs], [outcome for _, outcome in pairs]
    curve = fit_isotonic(values, correct)
    assert math.fsum(curve.chance(value, "raw") for value in values) == pytest.approx(sum(correct))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2),
    st.sampled_from(["platt", "temperature", "isotonic"]),
)
def test_every_fit_is_a_curve(pairs: list[tuple[float, bool]], method: Method) -> None:
    graded = [Graded(value, outcome) for value, outcome in pairs]
    if len({outcome for _, outcome in pairs}) < 2:
        with pytest.raises(ValueError, match="right answers and wrong ones"):
            fitted(method, graded, "probability")
    else:
        curve = fitted(method, graded, "probability")
        assert all(0 <= curve.chance(value, "probability") <= 1 for value, _ in pairs)


def test_the_expected_calibration_error_by_hand() -> None:
    bins = reliability([0.95, 0.95, 0.05, 0.05], [True, False, False, False])
    assert [(each.low, each.high, each.count, each.correct) for each in bins] == [
        (0.0, 0.1, 2, 0.0),
        (0.9, 1.0, 2, 0.5),
    ]
    assert expected_calibration_error(bins) == pytest.approx((2 * 0.05 + 2 * 0.45) / 4)
    assert expected_calibration_error([]) is None


def test_ends_of_bins() -> None:
    assert [each.low for each in reliability([0.0, 0.1, 1.0], [True] * 3)] == [0.0, 0.1, 0.9]
    with pytest.raises(ValueError, match="between 0 and 1"):
        reliability([1.5], [True])


def test_a_fit_mends_what_is_too_sure() -> None:
    rng = Random(2)
    chances = [rng.uniform(0.05, 0.95) for _ in range(2000)]
    correct = [rng.random() < 0.5 + (chance - 0.5) / 4 for chance in chances]
    graded = [Graded(*pair) for pair in zip(chances, correct, strict=True)]
    before = expected_calibration_error(reliability(chances, correct)) or 0.0
    for method in ("platt", "temperature", "isotonic"):
        curve = fitted(method, graded, "probability")
        calibrated = [curve.chance(each, "probability") for each in chances]
        after = expected_calibration_error(reliability(calibrated, correct)) or 0.0
        assert before > 0.15
        assert after < 0.05
