"""The enumerable world is what it says it is."""

from __future__ import annotations

import pytest

from branchwise.orchestrator.core.expansion import Expansion
from tests.laws.enumerable import ROOT, deceptive, scattered, transposing, uniform


def test_values_follow_from_the_leaves() -> None:
    world = scattered(1)
    leaves = world.leaves
    assert len(leaves) == 27
    assert world.mean(()) == pytest.approx(sum(leaves.values()) / 27)
    assert world.optimum() == max(leaves.values()) == leaves[world.best]


def test_the_deceptive_world_deceives() -> None:
    world = deceptive()
    assert world.best == (2, 2, 2)
    assert world.mean((0,)) == pytest.approx(0.6)
    assert world.mean((2,)) == pytest.approx(1 / 9)
    assert world.optimum((2,)) == 1.0


@pytest.mark.parametrize(("to_end", "count"), [(False, 3), (True, 27)])
def test_enumerated_siblings_visit_everything_once(to_end: bool, count: int) -> None:
    world = scattered(1)
    grown = world.grow(Expansion(0, ROOT, count, to_end=to_end), uniform).candidates
    assert len({world.actions(child) for child in grown}) == count
    assert all(child.done is to_end for child in grown)


def test_sampled_siblings_follow_the_prior() -> None:
    world = scattered(1, prior=(0.5, 0.3, 0.2), drawing="sampled")
    grown = world.grow(Expansion(0, ROOT, 10_000), uniform).candidates
    for action, share in enumerate(world.prior):
        found = sum(world.actions(child) == (action,) for child in grown)
        assert abs(found / 10_000 - share) < 3 * (share * (1 - share) / 10_000) ** 0.5


def test_temperature_0_takes_the_favourite() -> None:
    world = scattered(1, prior=(0.2, 0.5, 0.3))
    (child,) = world.grow(Expansion(0, ROOT, first=7, to_end=True, temperature=0.0), uniform).candidates
    assert world.actions(child) == (1, 1, 1)
    assert world.probability((1, 1, 1)) == pytest.approx(0.125)


def test_who_does_not_want_a_judgement_gets_none() -> None:
    world = scattered(1)
    spared, judged = (
        world.grow(Expansion(0, ROOT, judge=wanted), world.mean).candidates[0] for wanted in (False, True)
    )
    assert spared.judgement is None
    assert judged.value == world.mean((0,))


def test_equal_states_share_their_key() -> None:
    world = transposing()
    assert world.key is not None
    assert world.key((0, 2)) == world.key((2, 0)) != world.key((1, 1))
