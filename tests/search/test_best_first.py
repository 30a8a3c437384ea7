"""Best-first search: the order in which it grows states, and when it stops."""

from __future__ import annotations

from branchwise.orchestrator.core.expansion import Expansion
from branchwise.orchestrator.search.best_first import Options, build, most_draws
from tests.laws.enumerable import ROOT, play, scattered
from tests.search.test_dvts import told


def test_it_takes_the_best_state_wherever_it_is() -> None:
    search = build(Options(expansions=2, in_flight=1, depth=5), ROOT, 1)
    values = {(0,): 0.6, (1,): 0.5, (0, 0): 0.2, (0, 1): 0.4, (1, 0): 0.9, (1, 1): 0.1}
    order = []
    for _ in range(4):
        (expansion,) = search.ask(64)
        order.append(expansion.parent.lineage)
        search.tell(told(expansion, values))
    assert order == [(), (0,), (1,), (1, 0)]


def test_ties_go_to_the_first_grown_and_the_unjudged_come_last() -> None:
    world = scattered(1)
    judge = {(0,): None, (1,): 0.0, (2,): 0.0}
    search = build(Options(expansions=3, in_flight=3), ROOT, 1)
    search.tell(world.grow(*search.ask(1), lambda actions: judge[actions]))
    assert [expansion.parent.lineage for expansion in search.ask(64)] == [(1,), (2,), (0,)]


def test_several_are_grown_at_once_and_none_waits_for_another() -> None:
    search = build(Options(expansions=3, in_flight=2, budget=9), ROOT, 1)
    search.tell(told(*search.ask(64), {(0,): 0.1, (1,): 0.2, (2,): 0.3}))
    first, second = search.ask(64)
    assert [first.parent.lineage, second.parent.lineage] == [(2,), (1,)]
    assert search.ask(64) == []
    search.tell(told(second, {(1, 0): 0.9}))
    (third,) = search.ask(64)
    assert third.parent.lineage == (1, 0)  # while the first is still out


def test_the_budget_counts_states_grown() -> None:
    world = scattered(1, depth=6)
    options = Options(expansions=3, budget=7, depth=6)
    asked, _ = play(build(options, ROOT, 1), world, world.mean)
    assert len(asked) == 7
    assert sum(expansion.count for expansion in asked) == most_draws(options) == 21


def test_the_depth_is_capped_by_drawing_to_the_end() -> None:
    world = scattered(1, depth=6)
    asked, search = play(build(Options(expansions=3, budget=9, depth=2), ROOT, 1), world, world.mean)
    assert {(len(e.parent.lineage), e.to_end) for e in asked} == {(0, False), (1, True)}
    assert all(len(candidate.trajectory.lineage) == 2 for candidate in search.candidates())


def test_a_solution_that_is_good_enough_ends_it_and_leaves_the_rest_out() -> None:
    search = build(Options(expansions=2, in_flight=2, enough=0.8), ROOT, 1)
    search.tell(told(*search.ask(64), {(0,): 0.5, (1,): 0.4}))
    first, _left = search.ask(64)
    search.tell(told(first, {(0, 0): 0.7}, ends={(0, 0)}))
    assert not search.finished
    new: list[Expansion] = search.ask(64)
    search.tell(told(new[0], {(0, 1, 0): 0.8}, ends={(0, 1, 0)}))
    assert search.finished
    assert search.ask(64) == []
