"""Paired comparison against published vectors, brute force and its laws."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.evaluation.paired import compare, mcnemar, tango
from branchwise.orchestrator.evaluation.statistics import Z95

Outcomes = list[tuple[bool | None, bool | None]]
outcome = st.sampled_from((True, False, None))
counts = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200)).filter(lambda c: sum(c) > 0)


def test_tango_agrees_with_the_published_value() -> None:
    # Bentur et al. 2009 (1 and 7 of 21), as worked in Fagerland, Lydersen and Laake, chapter 8
    interval = tango(1, 7, 21)
    assert (round(interval.low, 3), round(interval.high, 3)) == (-0.517, -0.026)


def test_tango_does_not_shrink_to_a_point_when_no_pair_disagrees() -> None:
    interval = tango(0, 0, 30)
    bound = Z95**2 / (30 + Z95**2)  # what the score test leaves of a difference nobody has seen
    assert interval.high == pytest.approx(bound, abs=1e-9)
    assert interval.low == pytest.approx(-bound, abs=1e-9)


@given(counts)
def test_tango_holds_the_observed_difference_and_mirrors(abc: tuple[int, int, int]) -> None:
    b, c, rest = abc
    n = b + c + rest
    here, mirrored = tango(b, c, n), tango(c, b, n)
    assert -1 <= here.low <= (b - c) / n <= here.high <= 1
    assert here.low == pytest.approx(-mirrored.high, abs=1e-9)


@given(counts)
def test_tango_leaves_out_zero_exactly_when_mcnemar_rejects(abc: tuple[int, int, int]) -> None:
    b, c, rest = abc
    interval = tango(b, c, b + c + rest)
    z = abs(b - c) / math.sqrt(b + c) if b + c else 0.0
    assert (interval.low > 0 or interval.high < 0) == (z > Z95)


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 0), (3, 3, 5), (-1, 0, 5)])
def test_tango_refuses_impossible_counts(b: int, c: int, n: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        tango(b, c, n)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 7), (5, 5), (0, 6), (3, 8)])
def test_mcnemar_is_the_binomial_counted_out(b: int, c: int) -> None:
    flips = [sum(flip) for flip in product((0, 1), repeat=b + c)]
    extreme = sum(abs(2 * k - b - c) >= abs(b - c) for k in flips) / len(flips)
    assert mcnemar(b, c) == pytest.approx(extreme)


@given(st.lists(st.tuples(outcome, outcome), max_size=40))
def test_compare_counts_every_pair_once(pairs: Outcomes) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    here, mirrored = compare(first, second), compare(second, first)
    assert here.pairs + here.dropped == len(pairs)
    assert (here.only_first, here.only_second) == (mirrored.only_second, mirrored.only_first)
    assert here.p_value == mirrored.p_value
    if here.difference is not None:
        kept = [(a, b) for a, b in pairs if a is not None and b is not None]
        means = sum(a for a, _ in kept) / len(kept) - sum(b for _, b in kept) / len(kept)
        assert here.difference == pytest.approx(means)


def test_compare_of_nothing_claims_nothing() -> None:
    comparison = compare([None], [True])
    assert (comparison.pairs, comparison.dropped) == (0, 1)
    assert (comparison.difference, comparison.interval, comparison.p_value) == (None, None, 1.0)


def test_compare_refuses_different_problems() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare([True], [True, False])
