"""Lookahead: a step is judged by where it leads, and only the step is kept."""

from __future__ import annotations

from typing import Any

import pytest

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import judged
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.search import beam, dvts
from tests.laws.enumerable import ROOT, World, deceptive, play
from tests.search.test_dvts import told

STEPS = {"expansions": 3, "depth": 3}
NARROW = [
    pytest.param(beam, {"width": 1, **STEPS}, id="beam"),
    pytest.param(dvts, {"subtrees": 1, **STEPS}, id="dvts"),
]
HOPEFUL = deceptive(
    prior=(0.2, 0.2, 0.6)
)  # greedy steps lead from action 2 to the best leaf, by leaves worth nothing


def search_of(module: Any, options: dict[str, Any], lookahead: int) -> Search:
    search: Search = module.build(module.Options(**options, lookahead=lookahead), ROOT, 1)
    return search


@pytest.mark.parametrize(("module", "options"), NARROW)
@pytest.mark.parametrize(("lookahead", "reached"), [(0, 0.6), (1, 0.6), (2, 1.0), (9, 1.0)])
def test_it_sees_what_lies_that_many_steps_ahead(
    module: Any, options: dict[str, Any], lookahead: int, reached: float
) -> None:
    _, search = play(search_of(module, options, lookahead), HOPEFUL, HOPEFUL.mean)
    assert max(candidate.value or 0.0 for candidate in search.candidates()) == reached


@pytest.mark.parametrize(("module", "options"), NARROW)
def test_futures_are_greedy_single_draws_below_their_step(module: Any, options: dict[str, Any]) -> None:
    asked, _ = play(search_of(module, options, 2), HOPEFUL, HOPEFUL.mean)
    futures = [expansion for expansion in asked if expansion.temperature == 0]
    assert {(e.first, e.count, e.to_end) for e in futures} == {(0, 1, False)}
    assert len([e for e in futures if len(e.parent.steps) == 1]) == 3
    assert [e.first for e in asked if e.temperature is None] == [0, 1, 1]


@pytest.mark.parametrize(("module", "options"), NARROW)
def test_only_the_sampled_steps_are_kept(module: Any, options: dict[str, Any]) -> None:
    asked, search = play(search_of(module, options, 2), HOPEFUL, HOPEFUL.mean)
    chain = [expansion.parent.lineage for expansion in asked if expansion.temperature is None]
    assert chain == [(), (2,), (2, 2)]
    assert sorted(candidate.trajectory.lineage for candidate in search.candidates()) == [(2, 2, k) for k in (1, 2, 3)]


@pytest.mark.parametrize("lookahead", [0, 1, 2, 3])
@pytest.mark.parametrize(("module", "options"), NARROW)
def test_it_costs_1_plus_lookahead_draws_a_step_but_none_at_the_last(
    module: Any, options: dict[str, Any], lookahead: int
) -> None:
    endless = World(lambda actions: 0.5, depth=99)
    search = search_of(module, options, lookahead)
    drawn = 0
    while not search.finished:
        for expansion in search.ask(64):
            drawn += expansion.count
            search.tell(unending(endless, expansion))
    assert drawn == 3 * (1 + lookahead) * 2 + 3
    assert drawn == module.most_draws(module.Options(**options, lookahead=lookahead))


def unending(world: World, expansion: Expansion) -> Outcome:
    return world.grow(Expansion(expansion.ticket, expansion.parent, expansion.count, expansion.first), world.leaf)


def test_what_was_drawn_to_the_end_and_goes_on_has_reached_the_last_depth() -> None:
    search = search_of(beam, {"width": 1, **STEPS}, 0)
    endless = World(lambda actions: 0.5, depth=99)
    while not search.finished:
        for expansion in search.ask(64):
            search.tell(unending(endless, expansion))
    assert [one.trajectory.stop for one in search.candidates()] == [StopReason.MAX_DEPTH] * 3


def test_a_lost_future_leaves_the_value_reached_before_it() -> None:
    search = beam.build(beam.Options(width=1, expansions=3, depth=2, lookahead=2), ROOT, 1)

    def lossy(expansion: Expansion) -> Outcome:
        if expansion.temperature == 0 and expansion.parent.lineage[0] != 1:
            lost = expansion.parent.extend((), 0, StopReason.FAILED)
            return Outcome(expansion.ticket, (Candidate(lost, failure=Failure("backend", "lost")),))
        return HOPEFUL.grow(expansion, HOPEFUL.mean)

    parents: list[Trajectory] = []
    while not search.finished:
        for expansion in search.ask(64):
            parents += [expansion.parent] if expansion.temperature is None else []
            search.tell(lossy(expansion))
    assert [parent.lineage for parent in parents] == [(), (0,)]  # 0.6 against 0.0 and 0.36, no longer 1.0


def test_a_child_s_step_values_are_those_of_its_own_steps() -> None:
    def stepwise(actions: tuple[int, ...]) -> Any:
        values = tuple(float(action) / 2 for action in actions)
        return judged(values[-1], scale="probability", source="rule", step_values=values)

    search = beam.build(beam.Options(width=9, expansions=3, depth=2, lookahead=1), ROOT, 1)
    for _ in range(2):  # the steps, then their futures
        for expansion in search.ask(64):
            search.tell(HOPEFUL.grow(expansion, stepwise))
    level = [brood.parent for brood in search.state.growth.broods.values()]
    assert [child.value for child in level] == [1.0, 1.0, 1.0]
    assert all(child.judgement is not None and len(child.judgement.step_values) == 1 for child in level)


def test_what_is_finished_counts_while_futures_of_its_siblings_are_out() -> None:
    search = beam.build(beam.Options(width=1, expansions=2, depth=3, lookahead=1), ROOT, 1)
    search.tell(told(search.ask(64)[0], {}, ends={(1,)}))
    assert len(search.ask(64)) == 1
    assert [candidate.trajectory.lineage for candidate in search.candidates()] == [(1,)]


def test_futures_of_siblings_do_not_wait_for_each_other() -> None:
    search = beam.build(beam.Options(width=1, expansions=3, depth=3, lookahead=2), ROOT, 1)
    (brood,) = search.ask(64)
    search.tell(HOPEFUL.grow(brood, HOPEFUL.mean))
    first, *_ = search.ask(64)
    search.tell(HOPEFUL.grow(first, HOPEFUL.mean))
    (second,) = search.ask(64)
    assert second.parent.lineage == (*first.parent.lineage, 0)
