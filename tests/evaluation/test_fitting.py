"""From problems to bins to an allocation: thresholds, tables, and what is kept on problems not seen."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.evaluation.allocation import Measured
from branchwise.orchestrator.evaluation.fitting import (
    Attempt,
    Row,
    apply,
    bin_of,
    fit,
    held_out,
    measured,
    table,
    thresholds,
)


def row(ease: float | None, cheap: bool, dear: bool) -> Row:
    return Row(ease, {"cheap": Attempt(cheap, 10, 5), "dear": Attempt(dear, 30, 28)})


def test_quantiles_end_at_values_that_occur() -> None:
    assert thresholds([k / 10 for k in range(10)], 5) == (0.1, 0.3, 0.5, 0.7)
    assert thresholds([0.1, 0.2, 0.3], 2) == (0.2,)
    assert thresholds([0.5, 0.1, 0.9, None], 2) == (0.1,)


def test_equal_problems_stay_together_and_bins_are_never_empty() -> None:
    assert thresholds([0.25] * 6 + [1.0] * 4, 5) == (0.25,)
    assert thresholds([1.0] * 10, 5) == ()
    assert thresholds([None] * 9 + [0.5], 5) == ()
    assert thresholds([], 5) == ()


@given(st.lists(st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(-5, 5), min_size=1), st.integers(1, 6))
def test_every_bin_has_problems_and_as_many_as_it_may(eases: list[float | None], count: int) -> None:
    cuts = thresholds(eases, count)
    bins = [bin_of(ease, cuts) for ease in eases]
    assert set(bins) == set(range(len(cuts) + 1))
    assert len(cuts) < count
    assert list(cuts) == sorted(set(cuts))
    ranked = sorted(-math.inf if ease is None else ease for ease in eases)
    for k in range(1, count):  # a quantile is cut nowhere but where it ends, or after its ties
        end = ranked[math.ceil(k * len(ranked) / count) - 1]
        assert end in cuts or end in (ranked[-1], -math.inf)


def test_the_table_counts_each_bin() -> None:
    rows = [row(0.1, False, True), row(0.2, True, True), row(0.9, True, False), row(None, False, False)]
    hard, easy = table(rows, (0.2,))
    assert (hard.share, easy.share) == (0.75, 0.25)
    assert hard.measured == (Measured("cheap", 1 / 3, 10), Measured("dear", 2 / 3, 30))
    assert easy.measured == (Measured("cheap", 1, 10), Measured("dear", 0, 30))
    assert measured(rows, lambda attempt: attempt.alone)[0] == Measured("cheap", 0.5, 5)
    with pytest.raises(ValueError, match="no problems"):
        measured([], lambda attempt: attempt.cost)


def test_the_hard_half_gets_the_dear_strategy() -> None:
    rows = [row(0.1, False, True), row(0.9, True, True)] * 10
    fitted = fit(rows, 20, 2)
    assert fitted.thresholds == (0.1,)
    assert [mixture.strategy.strategy for mixture in fitted.allocation.mixtures] == ["dear", "cheap"]
    assert (fitted.allocation.accuracy, fitted.allocation.cost) == (1, 20)
    kept = apply(fitted, [row(0.5, True, False), row(None, False, True), row(0.0, True, False)])
    assert kept.accuracy == pytest.approx(2 / 3)
    assert kept.cost == pytest.approx((10 + 30 + 30) / 3)


def test_a_mixture_is_counted_by_its_share() -> None:
    fitted = fit([row(0.1, False, True), row(0.9, True, True)] * 10, 15, 2)
    assert fitted.allocation.mixtures[0].share == pytest.approx(0.5)
    kept = apply(fitted, [row(0.1, False, True)])
    assert (kept.accuracy, kept.cost) == (pytest.approx(0.5), pytest.approx(20))


def test_what_was_fitted_to_noise_is_not_kept_on_the_other_half() -> None:
    rng = random.Random(3)
    names = [str(k) for k in range(20)]
    rows = [Row(rng.random(), {name: Attempt(rng.random() < 0.5, 1, 1) for name in names}) for _ in range(100)]
    assert fit(rows, 1).allocation.accuracy > 0.65
    assert abs(held_out(rows, 1).accuracy - 0.5) < 0.15
