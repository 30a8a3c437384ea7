"""Curves from a value to a chance: their formulas, their ends, and that they never fall."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from branchwise.orchestrator.core.calibration import Curve, Isotonic, Platt, Temperature, logit

CURVE: TypeAdapter[Curve] = TypeAdapter(Curve)


def test_logit_is_the_log_odds_of_a_probability_and_anything_else_itself() -> None:
    assert logit(0.75, "probability") == pytest.approx(math.log(3))
    assert logit(-7.5, "raw") == -7.5
    assert logit(1.0, "probability") == pytest.approx(13.8155, abs=1e-4)
    assert logit(0.0, "probability") == pytest.approx(-13.8155, abs=1e-4)


def test_platt_and_temperature() -> None:
    assert Platt(slope=2.0, intercept=1.0).chance(-0.5, "raw") == 0.5
    assert Platt(slope=1.0, intercept=0.0).chance(0.3, "probability") == pytest.approx(0.3)
    assert Temperature(temperature=2.0).chance(0.9, "probability") == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("value", "chance"),
    [(0.0, 0.1), (1.0, 0.1), (1.5, 0.2), (2.0, 0.3), (2.5, 0.3), (3.0, 0.3), (4.0, 1.0), (9.0, 1.0)],
)
def test_isotonic_runs_through_its_points_and_is_flat_beyond(value: float, chance: float) -> None:
    curve = Isotonic(values=(1.0, 2.0, 3.0, 4.0), chances=(0.1, 0.3, 0.3, 1.0))
    assert curve.chance(value, "raw") == pytest.approx(chance)


@pytest.mark.parametrize(
    ("values", "chances"),
    [((1.0, 1.0), (0.1, 0.2)), ((1.0, 2.0), (0.2, 0.1)), ((1.0,), (0.1, 0.2)), ((1.0,), (1.5,)), ((1.0,), (-0.5,))],
)
def test_points_that_are_no_curve(values: tuple[float, ...], chances: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="rise"):
        Isotonic(values=values, chances=chances)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(1e-3, 1e3))
def test_chances_are_chances_and_keep_the_order(one: float, other: float, number: float) -> None:
    points = Isotonic(values=(-number, 0.0, number), chances=(0.0, 0.3, 0.9))
    for curve in (Platt(slope=number, intercept=0.3), Temperature(temperature=number), points):
        a, b = curve.chance(one, "raw"), curve.chance(other, "raw")
        assert 0 <= a <= 1
        assert a <= b or one > other


def test_curves_are_read_back() -> None:
    for curve in (
        Platt(slope=1.0, intercept=2.0),
        Temperature(temperature=3.0),
        Isotonic(values=(1.0,), chances=(0.5,)),
    ):
        assert CURVE.validate_json(CURVE.dump_json(curve)) == curve
