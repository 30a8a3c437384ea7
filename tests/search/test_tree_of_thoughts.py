"""Tree of thoughts: finished states compete with unfinished ones for the places kept."""

from __future__ import annotations

from branchwise.orchestrator.search import beam
from branchwise.orchestrator.search.tree_of_thoughts import Options, build
from tests.laws.enumerable import ROOT, play, scattered
from tests.search.test_dvts import told


def test_each_level_keeps_the_best_of_all_thoughts() -> None:
    search = build(Options(width=2, expansions=3, depth=3), ROOT, 1)
    search.tell(told(*search.ask(64), {(0,): 0.1, (1,): 0.3, (2,): 0.2}))
    first, second = search.ask(64)
    assert [first.parent.lineage, second.parent.lineage] == [(1,), (2,)]
    search.tell(told(second, {(2, 0): 0.9}))
    search.tell(told(first, {(1, 2): 0.8}))
    assert [(e.parent.lineage, e.to_end) for e in search.ask(64)] == [((2, 0), True), ((1, 2), True)]


def test_a_finished_state_holds_its_place_until_better_ones_come() -> None:
    search = build(Options(width=2, expansions=2, depth=4), ROOT, 1)
    search.tell(told(*search.ask(64), {(0,): 0.5, (1,): 0.4}, ends={(0,)}))
    (only,) = search.ask(64)
    assert only.parent.lineage == (1,)
    assert [one.trajectory.lineage for one in search.candidates()] == [(0,)]
    search.tell(told(only, {(1, 0): 0.6, (1, 1): 0.45}))
    (only,) = search.ask(64)
    assert only.parent.lineage == (1, 0)  # (0,) is kept, (1, 1) is not
    search.tell(told(only, {(1, 0, 0): 0.9, (1, 0, 1): 0.8}, ends={(1, 0, 0), (1, 0, 1)}))
    assert search.finished
    assert [one.trajectory.lineage for one in search.candidates()] == [(1, 0, 0), (1, 0, 1)]


def test_of_equals_the_state_that_was_kept_before_stays() -> None:
    search = build(Options(width=1, root_expansions=2, expansions=1, depth=4), ROOT, 1)
    search.tell(told(search.ask(64)[0], {(0,): 0.5, (1,): 0.6}, ends={(0,)}))
    assert search.candidates() == []  # (0,) lost its place
    search = build(Options(width=2, root_expansions=2, expansions=2, depth=4), ROOT, 1)
    search.tell(told(search.ask(64)[0], {(0,): 0.5, (1,): 0.6}, ends={(0,)}))
    search.tell(told(search.ask(64)[0], {(1, 0): 0.9, (1, 1): 0.5}))
    assert [one.trajectory.lineage for one in search.candidates()] == [(0,)]


def test_it_ends_when_all_that_are_kept_are_finished() -> None:
    search = build(Options(width=1, expansions=2, depth=9), ROOT, 1)
    search.tell(told(*search.ask(64), {(0,): 0.5, (1,): 0.4}, ends={(0,)}))
    assert search.finished


def test_where_nothing_ends_early_it_is_a_beam() -> None:
    world = scattered(6, depth=4)
    settings = {"width": 3, "expansions": 3, "depth": 4}
    asked, _ = play(build(Options(**settings), ROOT, 1), world, world.mean)  # type: ignore[arg-type]
    assert asked == play(beam.build(beam.Options(**settings), ROOT, 1), world, world.mean)[0]  # type: ignore[arg-type]
