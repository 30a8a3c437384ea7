"""Statistics of one strategy against published vectors and their laws."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.evaluation.statistics import (
    bootstrap_mean,
    denominators,
    pass_at_k,
    wilson,
)


@pytest.mark.parametrize(
    ("correct", "graded", "low", "high"),
    [  # Newcombe 1998, Stat. Med. 17:857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_the_published_values(correct: int, graded: int, low: float, high: float) -> None:
    interval = wilson(correct, graded)
    assert interval is not None
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_wilson_of_nothing_is_none_and_impossible_counts_are_refused() -> None:
    assert wilson(0, 0) is None
    for correct, graded in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(ValueError, match="no share"):
            wilson(correct, graded)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    correct, graded = counts
    here, mirrored = wilson(correct, graded), wilson(graded - correct, graded)
    assert here is not None
    assert mirrored is not None
    assert 0 <= here.low <= correct / graded <= here.high <= 1
    assert here.low < here.high
    assert here.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@given(st.integers(1, 50), st.integers(2, 9))
def test_wilson_narrows_with_more_problems(correct: int, factor: int) -> None:
    few, many = wilson(correct, 60), wilson(correct * factor, 60 * factor)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low


def test_pass_at_k_vector() -> None:
    assert pass_at_k(5, 2, 2) == pytest.approx(0.7)
    assert pass_at_k(5, 0, 5) == 0.0
    assert pass_at_k(5, 4, 2) == 1.0  # fewer wrong ones than k


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_the_subsets_with_a_right_draw(counts: tuple[int, int, int]) -> None:
    n, c, k = counts
    subsets = list(combinations(range(n), k))
    expected = sum(any(draw < c for draw in subset) for subset in subsets) / len(subsets)
    assert pass_at_k(n, c, k) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, 1, 6), (5, 1, 0), (5, -1, 1)])
def test_pass_at_k_refuses_what_was_not_drawn(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@"):
        pass_at_k(n, c, k)


def test_denominators_keep_what_was_not_graded() -> None:
    counts = denominators([True, False, None, None, True], {"reward": 1})
    assert (counts.attempted, counts.graded, counts.correct, counts.ungraded) == (5, 3, 2, 2)
    assert counts.accuracy == pytest.approx(2 / 3)
    assert counts.accuracy_of_attempted == pytest.approx(2 / 5)
    assert counts.failed == (("reward", 1),)


def test_denominators_of_nothing_have_no_accuracy() -> None:
    assert denominators([]).accuracy is None
    assert denominators([None]).accuracy is None
    assert denominators([None]).accuracy_of_attempted == 0.0


def test_denominators_refuse_more_failures_than_losses() -> None:
    with pytest.raises(ValueError, match="more problems failed"):
        denominators([True, None], {"backend": 2})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers())
def test_bootstrap_repeats_with_its_seed_and_stays_in_range(values: list[float], seed: int) -> None:
    first = bootstrap_mean(values, Random(seed), 200)
    assert first == bootstrap_mean(values, Random(seed), 200)
    assert min(values) - 1e-9 <= first.low <= first.high <= max(values) + 1e-9


def test_bootstrap_is_near_the_normal_interval_for_many_values() -> None:
    interval = bootstrap_mean([0.0, 1.0] * 200, Random(1), 2000)
    assert interval.low == pytest.approx(0.5 - 0.049, abs=0.006)
    assert interval.high == pytest.approx(0.5 + 0.049, abs=0.006)


def test_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        bootstrap_mean([], Random(0))
