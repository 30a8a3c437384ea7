"""What step-wise searches become at their limits, where the right result is known by enumeration."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from branchwise.orchestrator.core.expansion import Candidate, Expansion
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.selection import select
from branchwise.orchestrator.plugins import find
from tests.laws.enumerable import ROOT, Actions, Judge, World, deceptive, play, scattered, uniform
from tests.laws.toy import run

DEPTH, BRANCHING = 3, 3

FULL: dict[str, dict[str, Any]] = {
    "beam": {"width": 27, "expansions": 3, "depth": 3},
    "tree_of_thoughts": {"width": 27, "expansions": 3, "depth": 3},
    "pav_beam": {"width": 27, "expansions": 3, "depth": 3},
    "best_first": {"budget": 13, "expansions": 3, "depth": 3},
}
"""Settings under which everything is grown."""

GREEDY: dict[str, dict[str, Any]] = {
    "beam": {"width": 1, "expansions": 3, "depth": 3},
    "tree_of_thoughts": {"width": 1, "expansions": 3, "depth": 3},
    "pav_beam": {"width": 1, "expansions": 3, "depth": 3, "alpha": 0.0},
    "dvts": {"subtrees": 1, "expansions": 3, "depth": 3},
}
"""Settings under which the best child of each step is taken and nothing else."""

CHAIN: dict[str, dict[str, Any]] = {
    "beam": {"width": 1, "expansions": 1, "depth": 3},
    "tree_of_thoughts": {"width": 1, "expansions": 1, "depth": 3},
    "pav_beam": {"width": 1, "expansions": 1, "depth": 3},
    "dvts": {"subtrees": 1, "expansions": 1, "depth": 3},
    "best_first": {"budget": 3, "expansions": 1, "depth": 3},
}
"""Settings under which one answer is sampled, step by step."""

ONE_LEVEL: dict[str, dict[str, Any]] = {
    "beam": {"expansions": 27, "depth": 1},
    "tree_of_thoughts": {"width": 27, "expansions": 27, "depth": 1},
    "pav_beam": {"expansions": 27, "depth": 1},
    "dvts": {"subtrees": 9, "expansions": 3, "depth": 1},
    "best_first": {"budget": 1, "expansions": 27, "depth": 1},
}
"""Settings under which whole answers are drawn."""

SAMPLING: dict[str, dict[str, Any]] = {
    "beam": {"width": 2, "expansions": 2, "depth": 2},
    "tree_of_thoughts": {"width": 2, "expansions": 2, "depth": 2},
    "pav_beam": {"width": 2, "expansions": 2, "depth": 2},
    "dvts": {"subtrees": 2, "expansions": 2, "depth": 2},
    "best_first": {"budget": 4, "expansions": 2, "depth": 2},
}
"""Any settings, for a world of depth 2."""


def every(settings: dict[str, dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("kind", "options"), settings.items(), ids=list(settings))


def search_of(kind: str, options: dict[str, Any]) -> Search:
    module = find("search", kind).module
    search: Search = module.build(module.Options(**options), ROOT, 1)
    return search


def found(kind: str, options: dict[str, Any], world: World, judge: Judge) -> Candidate:
    """The answer that a search gives: the candidate of the greatest value."""
    _, search = play(search_of(kind, options), world, judge)
    selected = select("naive", search.candidates()).candidate
    assert selected is not None
    return selected


def greedy_walk(world: World, judge: Judge) -> Actions:
    """Take the best child of each state, the first of equals."""
    actions: Actions = ()
    while len(actions) < world.depth:
        actions = max(((*actions, action) for action in range(world.branching)), key=lambda a: judge(a))  # type: ignore[arg-type,return-value]
    return actions


@every(FULL)
@pytest.mark.parametrize("seed", range(5))
def test_full_width_finds_the_optimum_whatever_the_judge_says_of_inner_states(
    kind: str, options: dict[str, Any], seed: int
) -> None:
    world = scattered(seed)

    def misled(actions: Actions) -> float:
        return world.leaf(actions) if len(actions) == DEPTH else 1 - world.mean(actions)

    assert world.actions(found(kind, options, world, misled)) == world.best
    assert world.actions(found(kind, options, deceptive(), deceptive().mean)) == deceptive().best


@every(GREEDY)
@pytest.mark.parametrize("seed", range(5))
def test_width_one_is_greedy(kind: str, options: dict[str, Any], seed: int) -> None:
    world = scattered(seed)
    assert world.actions(found(kind, options, world, world.mean)) == greedy_walk(world, world.mean)
    assert world.actions(found(kind, options, world, world.optimum)) == world.best


@every(GREEDY)
def test_greed_is_deceived(kind: str, options: dict[str, Any]) -> None:
    world = deceptive()
    assert found(kind, options, world, world.mean).value == 0.6


@every(CHAIN)
def test_one_by_one_is_sampling_a_single_answer_step_by_step(kind: str, options: dict[str, Any]) -> None:
    world = scattered(1, drawing="sampled")
    asked, search = play(search_of(kind, options), world, world.mean)
    assert shapes(asked) == [((0,) * step, 0, 1, step == 2) for step in range(3)]
    assert [candidate.trajectory.lineage for candidate in search.candidates()] == [(0, 0, 0)]


@every(ONE_LEVEL)
def test_a_single_level_draws_what_best_of_n_draws(kind: str, options: dict[str, Any]) -> None:
    world = scattered(1, drawing="sampled")
    _, plain = play(search_of("best_of_n", {"n": 27}), world, world.mean)
    _, search = play(search_of(kind, options), world, world.mean)
    assert by_lineage(search) == by_lineage(plain)


@every(SAMPLING)
def test_under_a_judge_without_opinion_answers_follow_the_policy(kind: str, options: dict[str, Any]) -> None:
    prior, rounds = (0.5, 0.3, 0.2), 2_000
    worlds = [World(lambda actions: 0.5, 2, 3, prior, "sampled", seed) for seed in range(rounds)]
    seen = Counter(world.actions(found(kind, options, world, uniform)) for world in worlds)
    expected = {leaf: rounds * worlds[0].probability(leaf) for leaf in worlds[0].leaves}
    chi_square = sum((seen[leaf] - mean) ** 2 / mean for leaf, mean in expected.items())
    assert chi_square < 26.1  # 8 degrees of freedom, p = 0.001


def test_dvts_with_one_subtree_is_a_beam_of_width_one() -> None:
    world = scattered(3)
    steps = {"expansions": 4, "depth": 3}
    one = play(search_of("dvts", {"subtrees": 1, **steps}), world, world.mean)[0]
    assert one == play(search_of("beam", {"width": 1, **steps}), world, world.mean)[0]


@pytest.mark.parametrize("failure_rate", [0.0, 0.3])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_pav_beam_without_progress_is_a_plain_beam(width: int, failure_rate: float) -> None:
    shared = {"width": width, "expansions": 3, "depth": 5}
    plain, ended = run(search_of("beam", shared), 8, failure_rate)
    steered, also = run(search_of("pav_beam", {**shared, "alpha": 0.0}), 8, failure_rate)
    assert plain == steered
    assert ended.candidates() == also.candidates()


def test_best_first_goes_straight_to_the_optimum_under_a_perfect_judge() -> None:
    world = scattered(2)
    asked, search = play(
        search_of("best_first", {"expansions": 3, "depth": 3, "in_flight": 1, "enough": world.optimum()}),
        world,
        world.optimum,
    )
    assert len(asked) == DEPTH
    assert world.best in map(world.actions, search.candidates())


def by_lineage(search: Search) -> list[Candidate]:
    return sorted(search.candidates(), key=lambda candidate: candidate.trajectory.lineage)


def shapes(asked: list[Expansion]) -> list[tuple[Actions, int, int, bool]]:
    return [(e.parent.lineage, e.first, e.count, e.to_end) for e in asked]
