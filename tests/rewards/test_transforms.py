"""Transforms against the figures of their papers, and what must hold for any scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.rewards.combining import COMBINATIONS, combined
from branchwise.orchestrator.rewards.transforms import (
    clipped,
    deltas,
    log_preference,
    log_sigmoid,
    moments,
    normal_quantile,
    preference,
    progress,
    z_score,
)

FINITE = st.floats(-1e6, 1e6)
SCORES = st.lists(st.floats(0, 1), max_size=20)


def near(values: list[float], expected: list[float], places: float = 1e-9) -> bool:
    return values == pytest.approx(expected, abs=places)


def test_at_its_reference_a_reward_is_preferred_half_the_time() -> None:
    assert log_preference(3.0, 3.0) == pytest.approx(-0.693147, abs=5e-7)


def test_log_sigmoid_is_stable_far_out() -> None:
    assert log_sigmoid(1000.0) == 0.0
    assert log_sigmoid(-1000.0) == -1000.0


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.85, 3.036433), (0.15, 0.963567)])
def test_a_quantile_is_that_of_a_normal_distribution(share: float, value: float) -> None:
    assert normal_quantile(moments([1.0, 3.0]), share) == pytest.approx(value, abs=5e-7)
    assert normal_quantile(moments([7.0]), share) == 7.0


@given(FINITE, FINITE)
def test_log_sigmoid_rises_and_stays_below_zero(x: float, y: float) -> None:
    assert log_sigmoid(x) <= 0.0
    assert (log_sigmoid(x) <= log_sigmoid(y)) or x > y


def test_preference_of_the_paper() -> None:
    assert preference(2.0, [1.0, 3.0]) == 0.5
    assert preference(2.0, [0.0]) == pytest.approx(0.880797, abs=5e-7)
    assert preference(1.0, [0.0], steepness=2.0) == pytest.approx(0.880797, abs=5e-7)
    assert (preference(1000.0, [-1000.0]), preference(-1000.0, [1000.0])) == (1.0, 0.0)
    with pytest.raises(ValueError, match="reference"):
        preference(1.0, [])


@given(FINITE, FINITE, st.lists(FINITE, min_size=1, max_size=5))
def test_preference_keeps_the_order(one: float, other: float, references: list[float]) -> None:
    a, b = preference(one, references), preference(other, references)
    assert 0 <= a <= 1
    assert one > other or a <= b + 1e-12


def test_clipped_of_the_paper() -> None:
    assert near(clipped([0.9, 0.5, 0.95], 0.8), [0.0, -0.3, 0.0])


def test_deltas_of_the_paper() -> None:
    assert near(deltas([0.4, 0.6, 0.8, 0.9]), [-0.2, -0.2, 0.8, 0.0])
    assert sum(deltas([0.4, 0.6, 0.8, 0.9])) == pytest.approx(0.4)
    assert (deltas([0.7]), deltas([])) == ([0.0], [])


def test_padding_with_good_steps_does_not_pay() -> None:
    assert sum([0.9] * 10) == pytest.approx(9.0)
    assert sum(deltas([0.9] * 10)) == pytest.approx(0.9)


@given(SCORES)
def test_the_return_to_go_of_deltas_is_the_score_itself(scores: list[float]) -> None:
    returns_to_go = [math.fsum(deltas(scores)[k:]) for k in range(len(scores))]
    assert near(returns_to_go[:-1], scores[:-1])
    assert len(deltas(scores)) == len(scores)


def test_progress_is_not_a_delta() -> None:
    assert near(progress([0.4, 0.6, 0.5], start=0.3), [0.1, 0.2, -0.1])
    assert near(progress([0.4, 0.6]), [0.4, 0.2])
    assert progress([]) == []


def test_normalisation_lets_no_scale_dominate() -> None:
    members = [[0.0, 1.0, 2.0], [10.0, 30.0, 20.0]]
    scores = [[z_score(value, moments(rewards)) for value in rewards] for rewards in members]
    means = [combined("mean", pair) for pair in zip(*scores, strict=True)]
    assert near(means, [-1.2247, 0.6124, 0.6124], 5e-5)


def test_a_reference_sample_has_rewards() -> None:
    with pytest.raises(ValueError, match="at least one"):
        moments([])


@pytest.mark.parametrize(
    ("rule", "agreed", "divided"),
    [
        ("mean", 1.0, 1.3333),
        ("median", 1.0, 3.0),
        ("min", 1.0, -2.0),
        ("mean_minus_std", 1.0, -1.0237),
        ("mean_minus_variance", 1.0, -4.2222),
    ],
)
def test_combinations_of_the_paper(rule: str, agreed: float, divided: float) -> None:
    assert combined(rule, (1, 1, 1)) == pytest.approx(agreed)  # type: ignore[arg-type]
    assert combined(rule, (3, 3, -2)) == pytest.approx(divided, abs=5e-5)  # type: ignore[arg-type]


def test_an_ensemble_of_nobody_says_nothing() -> None:
    for rule in COMBINATIONS:
        with pytest.raises(ValueError, match="at least one"):
            combined(rule, [])
