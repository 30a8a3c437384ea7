"""Resampling: expected counts, their bounds, and what becomes of weights that are nothing or far apart."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from branchwise.orchestrator.search.resampling import ZERO, Scheme, effective_size, log_mean, normalised, resample

SCHEMES: tuple[Scheme, ...] = ("systematic", "stratified", "multinomial", "residual")
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
log_weights = st.lists(st.floats(-800, 800) | st.just(ZERO), min_size=1, max_size=12)
counts = st.integers(1, 40)
seeds = st.integers(0, 2**32)


def copies(scheme: Scheme, weights: list[float], count: int, seed: int) -> list[int]:
    ancestors = resample(scheme, weights, count, random.Random(seed))
    assert ancestors == sorted(ancestors)
    return [ancestors.count(index) for index in range(len(weights))]


def logs(weights: list[float]) -> list[float]:
    return [math.log(weight) if weight else ZERO for weight in weights]


@every_scheme
@given(log_weights, counts, seeds)
def test_as_many_as_wanted_and_nothing_of_no_weight(
    scheme: Scheme, weights: list[float], count: int, seed: int
) -> None:
    found = copies(scheme, weights, count, seed)
    assert sum(found) == count
    if any(one > ZERO for one in weights):
        assert all(number == 0 for number, one in zip(found, weights, strict=True) if one == ZERO)


@pytest.mark.parametrize("scheme", ["systematic", "residual"])
@given(log_weights, counts, seeds)
def test_counts_are_never_below_their_expectation_rounded_down(
    scheme: Scheme, weights: list[float], count: int, seed: int
) -> None:
    for number, weight in zip(copies(scheme, weights, count, seed), normalised(weights), strict=True):
        assert number >= math.floor(count * weight - 1e-9)


@given(log_weights, counts, seeds)
def test_systematic_counts_are_their_expectation_rounded_down_or_up(
    weights: list[float], count: int, seed: int
) -> None:
    for number, weight in zip(copies("systematic", weights, count, seed), normalised(weights), strict=True):
        assert number <= math.ceil(count * weight + 1e-9)


@every_scheme
@settings(derandomize=True)
@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.integers(1, 9), st.integers(0, 50))
def test_unbiased_to_three_sigma(scheme: Scheme, weights: list[float], count: int, seed: int) -> None:
    """A count is at most as spread as a binomial one, so its standard error bounds every scheme's."""
    rounds, rng, total = 400, random.Random(seed), [0] * len(weights)
    for _ in range(rounds):
        for ancestor in resample(scheme, logs(weights), count, rng):
            total[ancestor] += 1
    for number, share in zip(total, normalised(logs(weights)), strict=True):
        sigma = math.sqrt(rounds * count * share * (1 - share))
        assert abs(number - rounds * count * share) <= 5 * sigma  # of hundreds of counts the furthest: 5, not 3


@every_scheme
def test_unbiased_to_three_sigma_over_many_draws(scheme: Scheme) -> None:
    weights, count, rounds, rng = [0.5, 0.3, 0.15, 0.05], 5, 20_000, random.Random(8)
    total = [0] * 4
    for _ in range(rounds):
        for ancestor in resample(scheme, logs(weights), count, rng):
            total[ancestor] += 1
    for number, share in zip(total, weights, strict=True):
        assert abs(number - rounds * count * share) <= 3 * math.sqrt(rounds * count * share * (1 - share))


def test_the_schemes_differ_in_their_spread() -> None:
    """Variance of a count of expectation 2.5: multinomial most, systematic least (a quarter)."""
    weights, spread = logs([0.25, 0.35, 0.4]), dict[str, float]()
    for scheme in SCHEMES:
        found = [copies(scheme, weights, 10, seed)[0] for seed in range(4_000)]
        mean = sum(found) / len(found)
        spread[scheme] = sum((number - mean) ** 2 for number in found) / len(found)
    assert spread["systematic"] == pytest.approx(0.25, abs=0.02)
    assert spread["multinomial"] == pytest.approx(10 * 0.25 * 0.75, rel=0.1)
    assert spread["systematic"] <= spread["stratified"] < spread["multinomial"]
    assert spread["residual"] < spread["multinomial"]


def test_whole_expectations_leave_nothing_to_chance() -> None:
    for scheme in ("systematic", "residual"):
        assert {tuple(copies(scheme, logs([0.5, 0.25, 0.25]), 8, seed)) for seed in range(50)} == {(4, 2, 2)}  # type: ignore[arg-type]


@every_scheme
def test_all_weights_zero_is_uniform(scheme: Scheme) -> None:
    assert normalised([ZERO, ZERO, ZERO, ZERO]) == [0.25] * 4
    assert sum(copies(scheme, [ZERO] * 4, 8, 1)) == 8
    assert effective_size([ZERO, ZERO]) == 2.0


def test_weights_far_apart_neither_overflow_nor_vanish_together() -> None:
    assert normalised([5000.0, 4000.0]) == [1.0, 0.0]
    assert normalised([-5000.0, -5000.0]) == [0.5, 0.5]
    assert log_mean([-5000.0, -5000.0]) == -5000.0
    assert log_mean([ZERO, ZERO]) == ZERO


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_weight_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="log-weights"):
        normalised([0.0, wrong])


@given(log_weights)
def test_the_effective_size_lies_between_one_and_all(weights: list[float]) -> None:
    assert 1 - 1e-9 <= effective_size(weights) <= len(weights) + 1e-9
