"""The KL meter: its vectors, and the bound and the estimator against enumeration."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.evaluation.divergence import bound, draws_within, estimate, exact

pools = st.lists(st.integers(1, 20), min_size=1, max_size=6).map(lambda parts: [part / sum(parts) for part in parts])


@pytest.mark.parametrize(("n", "nats"), [(1, 0.0), (2, 0.193147), (8, 1.204442), (64, 3.174508)])
def test_the_vectors_of_the_bound(n: int, nats: float) -> None:
    assert bound(n) == pytest.approx(nats, abs=1e-6)


def test_four_equal_answers_and_two_draws() -> None:
    assert exact([0.25] * 4, [1, 2, 3, 4], 2) == pytest.approx(0.173980, abs=1e-6)


def test_eleven_draws_stay_within_one_and_a_half_nats() -> None:
    assert draws_within(1.5) == 11
    assert draws_within(0) == 1
    assert bound(draws_within(3.0)) <= 3.0 < bound(draws_within(3.0) + 1)


@given(pools, st.integers(1, 4), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_the_exact_divergence_is_that_of_enumerating_all_draws(
    shares: list[float], n: int, rewards: list[int]
) -> None:
    """Ties go to the first drawn."""
    rewards, best = rewards[: len(shares)], [0.0] * len(shares)
    for draws in itertools.product(range(len(shares)), repeat=n):
        best[max(draws, key=lambda one: rewards[one])] += math.prod(shares[one] for one in draws)
    enumerated = math.fsum(q * math.log(q / p) for q, p in zip(best, shares, strict=True) if q > 0)
    assert exact(shares, rewards, n) == pytest.approx(enumerated, abs=1e-9)


@given(pools, st.integers(1, 60))
def test_the_bound_is_one_and_reached_by_many_small_shares(shares: list[float], n: int) -> None:
    rewards = list(range(len(shares)))
    assert -1e-9 <= exact(shares, rewards, n) <= bound(n) + 1e-9
    fine = exact([1 / 4000] * 4000, range(4000), n)
    assert fine == pytest.approx(bound(n), abs=0.01)


@given(st.floats(0.01, 0.99), st.integers(1, 30))
def test_the_estimate_is_exact_for_one_answer_above_many_small_ones(share: float, n: int) -> None:
    small = [(1 - share) / 3000] * 3000
    assert estimate(share, n) == pytest.approx(exact([*small, share], range(3001), n), abs=0.01)
    assert estimate(share, n) <= bound(n) + 1e-9


def test_the_ends_of_the_estimate() -> None:
    assert estimate(0.0, 8) == bound(8)
    assert estimate(1.0, 8) == 0.0
    assert estimate(1e-12, 8) == pytest.approx(bound(8), abs=1e-4)


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in (lambda: bound(0), lambda: estimate(1.5, 2), lambda: draws_within(-1), lambda: exact([0.5], [1], 2)):
        with pytest.raises(ValueError, match=r"best-of|share|nats"):
            wrong()
