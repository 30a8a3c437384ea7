"""Monte Carlo tree search: against a textbook's, a stored tree, worlds that are known, and all that goes wrong."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.saving import restore, save
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.search.mcts import MCTS, Options, build, most_draws
from branchwise.orchestrator.search.simulations import mixed
from branchwise.orchestrator.search.tree import Node, Tree
from tests.laws import toy
from tests.laws.enumerable import ROOT, Actions, World, deceptive, play, scattered, transposing, uniform
from tests.search.tree_nodes import nodes

GOLDEN = Path(__file__).parents[1] / "golden" / "mcts.json"


def searched(
    world: World, judge: Callable[[Actions], float | None] | None = None, window: int = 64, **options: object
) -> tuple[list[Expansion], MCTS]:
    """What a search of these options asked for, and the search at its end."""
    search = build(Options(**{"children": world.branching, **options}), ROOT, 1)
    asked, _ = play(search, world, judge or world.mean, window)
    return asked, search


# -- against a textbook's ------------------------------------------------------------------------------------


def textbook(world: World, iterations: int, c: float) -> dict[Actions, tuple[int, float]]:
    """UCT as anyone would write it down, one child an iteration: visits and values by actions."""
    seen: dict[Actions, list[float]] = {(): []}
    grown: dict[Actions, int] = {(): 0}

    def exhausted(actions: Actions) -> bool:
        if len(actions) == world.depth:
            return True
        return grown[actions] == world.branching and all(map(exhausted, children(actions)))

    def children(actions: Actions) -> list[Actions]:
        return [(*actions, k) for k in range(grown[actions])]

    def bound(parent: Actions, actions: Actions) -> float:
        n = len(seen[actions])
        return sum(seen[actions]) / n + c * math.sqrt(math.log(max(1, len(seen[parent]))) / n)

    for _ in range(iterations):
        if exhausted(()):
            break
        actions: Actions = ()
        while grown[actions] == world.branching:
            parent = actions
            open_ones = [child for child in children(parent) if not exhausted(child)]
            actions = max(open_ones, key=lambda child: bound(parent, child))
        child = (*actions, grown[actions])
        grown[actions] += 1
        grown[child], seen[child] = 0, []
        for length in range(len(child) + 1):
            seen[child[:length]].append(world.mean(child))
    return {actions: (len(values), sum(values) / len(values)) for actions, values in seen.items()}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("iterations", [1, 5, 24, 60, 200])
def test_one_leaf_at_a_time_it_is_the_textbooks(seed: int, iterations: int) -> None:
    world = scattered(seed, depth=4)
    c = (0.2, 0.7, 1.4)[seed % 3]
    _, search = searched(world, batch=1, in_flight=1, iterations=iterations, exploration=c, depth=9, finish=0)
    ours = {node.lineage: (node.visits, node.value) for node in nodes(search)}
    for actions, (visits, value) in textbook(world, iterations, c).items():
        assert ours.pop(actions) == (visits, pytest.approx(value))
    assert not ours


# -- the stored tree -----------------------------------------------------------------------------------------


def small_tree() -> list[dict[str, object]]:
    """A tree of two children an expansion, three leaves under way, sampled actions: equal draws are merged."""
    world = replace(scattered(7, prior=(0.5, 0.3, 0.2), drawing="sampled"), seed=1)
    _, search = searched(world, iterations=12, children=4, batch=2, depth=3, in_flight=3, selection="puct", finish=0)
    return [json.loads(json.dumps(asdict(node))) for node in nodes(search)]


def test_the_stored_tree_node_by_node() -> None:
    """``python -m tests.search.test_mcts`` stores it anew."""
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    grown = small_tree()
    assert len(grown) == len(stored)
    for node, expected in zip(grown, stored, strict=True):
        assert node == {key: pytest.approx(x) if isinstance(x, float) else x for key, x in expected.items()}


# -- worlds that are known -----------------------------------------------------------------------------------


def valley(actions: Actions) -> float:
    """Action 0 is worth 0.6 whatever follows; action 1 less, by the mean, and it leads to 1 if it is kept to."""
    return 0.6 if actions[0] == 0 else sum(actions) / 10


def answer_of(search: MCTS, world: World) -> Actions:
    recommended = search.recommended()
    assert recommended is not None
    return world.actions(recommended)


@pytest.mark.parametrize(
    "options",
    [
        {"exploration": 0.5},
        {"exploration": 0.5, "batch": 1, "in_flight": 8, "iterations": 400},
        {"selection": "lats", "exploration": 0.5, "evaluate": "leaf"},
        {"selection": "puct"},
        {"selection": "puct_best", "exploration": 0.5},
        {"exploration": 0.5, "revisit": True, "recommendation": "visits", "iterations": 500},
        {"exploration": 0.5, "revisit": True, "recommendation": "value", "iterations": 500},
    ],
    ids=repr,
)
def test_in_the_deceptive_tree_greed_fails_and_the_search_finds_the_best(options: dict[str, object]) -> None:
    world = World(valley, depth=10, branching=2)
    _, greedy = searched(world, iterations=10, exploration=0.0, in_flight=1, depth=20)
    assert answer_of(greedy, world)[0] == 0
    asked, search = searched(world, **{"iterations": 150, "depth": 20, **options})
    assert len(asked) <= 400 < 2**10 - 1
    assert answer_of(search, world) == world.best == (1,) * 10
    first = max(nodes(search)[1:3], key=lambda node: node.value or 0.0)
    assert world.leaf(world.best) == 1 > (first.value or 0.0) > 0.6


def test_a_needle_among_worthless_straws_is_found_by_looking_everywhere() -> None:
    world = deceptive()
    asked, search = searched(world, iterations=100)
    assert len(asked) == 13
    assert answer_of(search, world) == world.best


def test_with_draws_enough_it_finds_what_enumeration_finds_and_ends() -> None:
    world = scattered(3, depth=3)
    asked, search = searched(world, iterations=10_000, depth=9)
    assert len(asked) == 1 + 3 + 9
    assert {world.actions(candidate) for candidate in search.candidates()} == set(world.leaves)
    assert answer_of(search, world) == world.best


def test_without_exploration_and_siblings_it_is_one_chain() -> None:
    asked, search = searched(scattered(1, depth=5), iterations=20, children=1, depth=5)
    assert [expansion.parent.lineage for expansion in asked] == [(0,) * depth for depth in range(5)]
    assert len(search.candidates()) == 1


def test_a_judge_without_an_opinion_spreads_the_visits_evenly() -> None:
    _, search = searched(scattered(1, depth=9), uniform, batch=1, iterations=3 * 40, depth=20, in_flight=1)
    visits = [node.visits for node in nodes(search) if len(node.lineage) == 1]
    assert max(visits) - min(visits) <= 1


def test_at_depth_one_it_draws_whole_answers() -> None:
    asked, search = searched(scattered(2), iterations=5, children=6, depth=1)
    assert [(expansion.count, expansion.to_end) for expansion in asked] == [(6, True)]
    assert len(search.candidates()) == 6


def test_the_greatest_value_at_the_root_is_that_of_the_best_leaf_below() -> None:
    world = scattered(5)
    _, search = searched(world, lambda actions: world.leaf(actions) if len(actions) == 3 else 0.0,
                         iterations=500, evaluate="leaf", selection="puct_best", discount=0.9)  # fmt: skip
    assert search.state.tree.root.best == pytest.approx(world.optimum() * 0.9**3)


# -- several leaves under way --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("in_flight", [1, 4, 8, 16])
def test_every_iteration_buys_one_expansion_and_all_of_them_are_kept(in_flight: int, batch: int | None) -> None:
    asked, search = searched(
        scattered(4, depth=7, branching=8), lambda _: 0.5, iterations=32, batch=batch, in_flight=in_flight, finish=0
    )
    assert len(asked) == 32
    assert sum(expansion.count for expansion in asked) + 1 == len(search.state.tree.nodes)


def test_one_ask_gives_expansions_of_different_leaves() -> None:
    search = build(Options(children=8, in_flight=8), ROOT, 1)
    world = scattered(4, branching=8)
    (first,) = search.ask(64)
    assert search.ask(64) == []  # nothing but the root is there, and all of its draws are out
    search.tell(world.grow(first, world.mean))
    asked = search.ask(64)
    assert len({expansion.parent.lineage for expansion in asked}) == len(asked) == 8
    assert search.ask(64) == []  # as many as may be under way


def test_one_draw_at_a_time_a_node_has_several_expansions_under_way() -> None:
    search = build(Options(children=8, batch=1, in_flight=8), ROOT, 1)
    asked = search.ask(64)
    assert [(expansion.parent.lineage, expansion.first) for expansion in asked] == [((), k) for k in range(8)]


def test_a_node_has_no_more_children_than_it_may_where_batches_do_not_divide_them() -> None:
    search = build(Options(children=5, batch=2, in_flight=8), ROOT, 1)
    assert [(expansion.first, expansion.count) for expansion in search.ask(64)] == [(0, 2), (2, 2), (4, 1)]


@pytest.mark.parametrize("failure_rate", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("settings", toy.SMALL["mcts"], ids=repr)
def test_told_in_any_order_the_books_are_right(settings: dict[str, object], failure_rate: float) -> None:
    for seed in range(5):
        search, rng = build(Options(**settings), toy.ROOT, 1), random.Random(seed)
        out: list[Expansion] = []
        while not search.finished:
            out += search.ask(rng.randrange(1, 9))
            search.tell(toy.grow(out.pop(rng.randrange(len(out))), failure_rate))
            assert search.state.tree.root.visits == 0 or search.state.tree.root.best <= 1
        if not out:  # else it was decided, and those are cancelled
            assert_nothing_is_under_way(search)


def assert_nothing_is_under_way(search: MCTS) -> None:
    tree = search.state.tree
    for node in tree.nodes:
        assert (node.pending, node.growing) == (0, 0)
        assert node.ready == node.open + sum(tree.nodes[child].ready > 0 for child in node.children)
        assert not (node.open and node.trajectory.terminal)


def test_a_leaf_under_way_turns_the_next_simulation_elsewhere() -> None:
    def first_steps(**options: object) -> list[Actions]:
        search = build(Options(children=2, in_flight=3, exploration=0.1, **options), ROOT, 1)
        world = World(lambda actions: 0.9 if actions[0] == 0 else 0.8, depth=4, branching=2)
        asked: list[Expansion] = []
        for count in (1, 2, 2, 2):
            out = search.ask(count)
            asked += out
            for expansion in out:
                search.tell(world.grow(expansion, world.mean))
        return [expansion.parent.lineage[:1] for expansion in asked[1:]]

    assert first_steps(virtual_loss=0.0).count((0,)) > first_steps(virtual_loss=5.0, virtual_value=0.0).count((0,))


# -- evaluation ----------------------------------------------------------------------------------------------


def test_a_leafs_value_mixes_its_judgement_with_its_rollouts() -> None:
    assert mixed(0.2, [0.4, 0.8], 0.75) == pytest.approx(0.75 * 0.6 + 0.25 * 0.2)
    assert mixed(0.2, [1.0], 1.0) == 1.0
    assert (mixed(None, [0.5], 0.25), mixed(0.2, [], 1.0), mixed(None, None, 0.5)) == (0.5, 0.2, None)


@pytest.mark.parametrize("evaluate", ["children", "leaf"])
def test_with_rollouts_alone_values_are_means_of_what_was_rolled_out(evaluate: str) -> None:
    world = scattered(6)
    asked, search = searched(world, lambda actions: world.leaf(actions) if len(actions) == 3 else 0.0,
                             iterations=1, evaluate=evaluate, rollouts=2, rollout_temperature=0.5)  # fmt: skip
    rolled = [expansion for expansion in asked if expansion.to_end]
    assert [expansion.parent.lineage for expansion in rolled] == ([()] if evaluate == "leaf" else [(0,), (1,), (2,)])
    assert all((expansion.count, expansion.temperature) == (2, 0.5) for expansion in rolled)
    values = [world.leaf(world.actions(candidate)) for candidate in search.candidates()]
    assert search.state.tree.root.value == pytest.approx(sum(values) / len(values))


def test_a_leaf_is_expanded_and_rolled_out_at_once() -> None:
    search = build(Options(children=3, evaluate="leaf", rollouts=2), ROOT, 1)
    assert [(e.count, e.first, e.to_end) for e in search.ask(64)] == [(3, 0, False), (2, 3, True)]


def test_leaf_by_leaf_as_in_alphazero_the_judgement_of_a_leaf_counts_when_it_is_expanded() -> None:
    world = scattered(2, depth=9)
    _, search = searched(world, iterations=2, evaluate="leaf", selection="lats", in_flight=1)
    root, *children = nodes(search)
    best = max(range(3), key=lambda k: world.mean((k,)))
    assert [node.visits for node in children[:3]] == [int(k == best) for k in range(3)]
    assert (root.visits, root.value) == (1, pytest.approx(world.mean((best,))))


def test_the_worlds_reward_stands_where_nobody_judges() -> None:
    world = scattered(2)
    _, search = searched(world, lambda _: None, iterations=1, rollouts=1)
    assert search.state.tree.root.visits == 3


# -- finished answers ----------------------------------------------------------------------------------------


def ending_at_once(actions: Actions) -> float:
    return 0.9 if actions[0] == 0 else 0.1


class EndingAtOnce(World):
    """Action 0 ends the problem well; below the others there is much and nothing good."""

    def grow(self, expansion: Expansion, judge: Callable[[Actions], object]) -> Outcome:
        outcome = super().grow(expansion, judge)  # type: ignore[arg-type]
        return replace(outcome, candidates=tuple(map(self._ended, outcome.candidates)))

    def _ended(self, candidate: Candidate) -> Candidate:
        if self.actions(candidate)[0] != 0:
            return candidate
        trajectory = replace(candidate.trajectory, stop=StopReason.ANSWERED)
        return replace(candidate, trajectory=trajectory, answer=Answer("good", "good"))


def test_a_finished_answer_is_not_selected_again_and_costs_no_iteration() -> None:
    world = EndingAtOnce(ending_at_once, depth=9)
    asked, search = searched(world, iterations=20, depth=9)
    assert len(asked) == 20
    assert nodes(search)[1].visits == 1
    assert answer_of(search, world) == (0,)


def test_with_revisits_a_finished_answer_gathers_visits_for_nothing() -> None:
    asked, search = searched(
        EndingAtOnce(ending_at_once, depth=9), iterations=200, depth=9, revisit=True, in_flight=1
    )
    first = nodes(search)[1]
    assert len(asked) < 40
    assert first.visits + len(asked) == 200 + 1  # one of them came with the first expansion
    assert first.visits > 150


def test_a_tree_of_nothing_but_finished_answers_ends_with_revisits_too() -> None:
    asked, search = searched(scattered(2, depth=1), iterations=10**9, revisit=True)
    assert len(asked) == 1
    assert search.finished


def test_where_no_answer_was_reached_some_are_drawn_from_where_the_tree_leads() -> None:
    world = scattered(8, depth=9)
    asked, search = searched(world, iterations=3, in_flight=1, finish=2)
    assert [(expansion.to_end, expansion.count) for expansion in asked[-2:]] == [(False, 3), (True, 2)]
    assert len(search.candidates()) == 2
    assert sum(node.visits for node in nodes(search)[:1]) == 9
    assert search.recommended() in search.candidates()
    assert searched(world, iterations=3, finish=0)[1].candidates() == []


def test_what_ended_without_an_answer_is_no_answer() -> None:
    class Mumbling(World):
        def grow(self, expansion: Expansion, judge: Callable[[Actions], object]) -> Outcome:
            outcome = super().grow(expansion, judge)  # type: ignore[arg-type]
            return replace(outcome, candidates=tuple(replace(each, answer=None) for each in outcome.candidates))

    asked, search = searched(Mumbling(ending_at_once, depth=1), iterations=4)
    assert [(expansion.to_end, expansion.count) for expansion in asked] == [(False, 3), (True, 1)]
    assert len(search.candidates()) == 4
    assert search.recommended() is None


# -- what goes wrong -----------------------------------------------------------------------------------------


def lost(expansion: Expansion) -> Outcome:
    return toy.grow(expansion, failure_rate=1.0)


def test_a_node_that_lost_all_its_children_is_tried_again_and_then_is_a_dead_end() -> None:
    search = build(Options(children=2, retries=2, dead_end=-1.0, finish=0), ROOT, 1)
    tries = []
    while not search.finished:
        (expansion,) = search.ask(64)
        tries.append((expansion.first, expansion.count))
        search.tell(lost(expansion))
    assert tries == [(0, 2), (2, 2), (4, 2)]
    assert len(nodes(search)) == 1
    assert (search.state.tree.root.visits, search.state.tree.root.value) == (1, -1.0)


def test_a_node_that_kept_a_child_is_not_tried_again() -> None:
    search = build(Options(children=2, batch=1, in_flight=1, finish=0, iterations=3), ROOT, 1)
    world = scattered(1, depth=9)
    (first,) = search.ask(1)
    search.tell(lost(first))
    (second,) = search.ask(1)
    search.tell(world.grow(second, world.mean))
    (third,) = search.ask(1)
    assert [(e.parent.lineage, e.first) for e in (first, second, third)] == [((), 0), ((), 1), ((1,), 0)]


def test_what_could_not_be_judged_is_in_the_tree_and_backs_up_a_visit_alone() -> None:
    def judge(actions: Actions) -> object:
        return failed("no verdict") if actions == (1,) else judged(0.5, scale="probability", source="rule")

    world = scattered(1, depth=9)
    search = build(Options(children=3, iterations=1, finish=0), ROOT, 1)
    play(search, world, judge)  # type: ignore[arg-type]
    assert [(node.visits, node.value) for node in nodes(search)] == [(3, 0.5), (1, 0.5), (1, None), (1, 0.5)]


def first_unjudged(actions: Actions) -> object:
    return failed("no verdict") if actions[0] == 0 else judged(-5.0, scale="raw", source="judge")


@pytest.mark.parametrize("evaluate", ["children", "leaf"])
@pytest.mark.parametrize("selection", ["uct", "lats", "puct", "puct_best"])
@pytest.mark.parametrize("virtual_value", [None, 0.0])
def test_what_could_not_be_judged_waits_until_no_other_way_on_is_left(
    evaluate: str, selection: str, virtual_value: float | None
) -> None:
    world = scattered(1, branching=2)
    options = {"evaluate": evaluate, "selection": selection, "virtual_value": virtual_value, "finish": 0}
    search = build(Options(children=2, iterations=100, **options), ROOT, 1)
    asked, _ = play(search, world, first_unjudged)  # type: ignore[arg-type]
    expanded = [world.actions(expansion.parent) for expansion in asked]
    assert {actions[:1] for actions in expanded[1:4]} == {(1,)}
    assert expanded[4:] == [(0,), (0, 0), (0, 1)]  # the first that was set aside comes first
    assert_nothing_is_under_way(search)
    root, unjudged, good, *_ = nodes(search)
    assert (unjudged.value, good.value, root.value) == (None, -5.0, -5.0)
    assert dict(search.statistics()[0,].extra)["visits_without_a_value"] == unjudged.visits > 0


def test_a_visit_without_a_value_is_in_no_mean_and_makes_the_bonus_smaller() -> None:
    tree = Tree([Node(ROOT)])
    tree.back_up([0], 0.5)
    tree.back_up([0], None)
    tree.back_up([0], 0.7)
    assert (tree.root.visits, tree.root.returns, tree.root.value) == (3, 2, pytest.approx(0.6))


def test_what_is_found_below_an_unjudged_step_is_its_value() -> None:
    world = scattered(1)
    search = build(Options(children=3, iterations=100), ROOT, 1)
    play(search, world, lambda actions: failed("no verdict") if len(actions) == 1 else world.mean(actions))
    assert {world.actions(candidate) for candidate in search.candidates()} == set(world.leaves)
    assert answer_of(search, world) == world.best
    assert all(node.value is not None for node in nodes(search))


def test_where_nothing_at_all_is_judged_the_search_goes_on_and_answers() -> None:
    search = build(Options(children=3, iterations=5), ROOT, 1)
    asked, _ = play(search, scattered(1, depth=9), lambda _: failed("no verdict"))
    assert [expansion.parent.lineage for expansion in asked] == [(), (0,), (1,), (2,), (0, 0), ()]
    assert [candidate.value for candidate in search.candidates()] == [None]


def test_finished_answers_are_revisited_rather_than_what_could_not_be_judged() -> None:
    def judge(actions: Actions) -> object:
        return failed("no verdict") if actions[0] == 1 else judged(-5.0, scale="raw", source="judge")

    world = EndingAtOnce(ending_at_once, depth=9, branching=2)
    search = build(Options(children=2, iterations=50, revisit=True, in_flight=1, exploration=0.1), ROOT, 1)
    asked, _ = play(search, world, judge)  # type: ignore[arg-type]
    assert len(asked) == 1
    assert search.recommended() in search.candidates()


def test_it_is_not_decided_for_a_first_step_without_a_value() -> None:
    world = scattered(1, depth=9)
    options = {"recommendation": "visits", "until_decided": True, "iterations": 40, "in_flight": 1, "depth": 20}
    _, search = searched(world, lambda _: None, children=1, **options)  # type: ignore[arg-type]
    assert not search.state.decided


def test_a_dead_end_of_no_stated_value_is_a_visit_alone() -> None:
    search = build(Options(children=2, retries=0, finish=0), ROOT, 1)
    while not search.finished:
        search.tell(lost(*search.ask(1)))
    assert (search.state.tree.root.visits, nodes(search)[0].value) == (1, None)


def test_what_could_not_be_judged_is_worth_its_rollouts() -> None:
    world = scattered(1)
    search = build(Options(children=3, iterations=1, rollouts=1, rollout_weight=0.0), ROOT, 1)
    play(search, world, lambda actions: failed("no verdict") if len(actions) == 1 else world.leaf(actions))
    values = [world.leaf(world.actions(candidate)) for candidate in search.candidates()]
    assert [node.value for node in nodes(search)[1:]] == values


# -- deciding early, saving, options -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_a_decided_first_step_is_the_one_that_all_iterations_would_lead_to(seed: int) -> None:
    world = scattered(seed, depth=6)

    def judge(actions: Actions) -> float:
        return 0.95 if actions[0] == 1 else 0.05

    options = {"iterations": 60, "recommendation": "visits", "exploration": 0.3, "depth": 9, "batch": 1}
    few, early = searched(world, judge, until_decided=True, **options)
    all_, full = searched(world, judge, **options)

    def favourite(search: MCTS) -> Actions:
        return max((node for node in nodes(search) if len(node.lineage) == 1), key=lambda node: node.visits).lineage

    assert len(few) < len(all_)
    assert favourite(early) == favourite(full) == (1,)


def test_it_is_decided_only_when_the_visits_of_all_iterations_left_can_not_turn_it() -> None:
    world = scattered(1, depth=9)
    _, search = searched(world, lambda actions: 0.9 if actions[0] == 1 else 0.1, iterations=60, exploration=0.3,
                         in_flight=1, depth=20, recommendation="visits", until_decided=True)  # fmt: skip
    first, second, _ = sorted((node.visits for node in nodes(search)[1:4]), reverse=True)
    left = 60 - search.state.iterations
    assert search.state.decided
    assert left > 0
    assert first - second > left * 3


@pytest.mark.parametrize("evaluate", ["children", "leaf"])
def test_transpositions_are_merged_saved_and_restored(evaluate: str) -> None:
    world = transposing(depth=4)
    options = {"iterations": 25, "transpositions": True, "evaluate": evaluate, "in_flight": 5}

    def run(reborn: bool) -> MCTS:
        search = build(Options(children=3, **options), ROOT, 1)
        out: list[Expansion] = []
        while not search.finished:
            out += search.ask(9)
            search.tell(world.grow(out.pop(0), world.mean))
            if reborn:
                fresh = build(Options(children=3, **options), ROOT, 1)
                restore(fresh, save(search))
                search = fresh
        return search

    plain, saved = run(False), run(True)
    assert nodes(plain) == nodes(saved)
    assert plain.candidates() == saved.candidates()
    multisets = sum(math.comb(size + 2, 2) for size in range(5))
    assert len(nodes(plain)) == multisets == 35
    assert max(len(node.parents) for node in nodes(plain)) == 3
    assert [dict(one.extra).get("reached_from", "").count(", ") + 1 for one in plain.statistics().values()] == [
        max(1, len(node.parents)) for node in nodes(plain)
    ]


def test_merging_spares_expansions() -> None:
    merged, _ = searched(transposing(), iterations=100, transpositions=True)
    apart, _ = searched(transposing(), iterations=100)
    assert (len(merged), len(apart)) == (1 + 3 + 6, 1 + 3 + 9)


def test_equal_draws_are_one_child_and_every_finished_one_is_a_candidate() -> None:
    world = scattered(1, depth=1, branching=2, prior=(0.9, 0.1), drawing="sampled")
    _, search = searched(world, iterations=3, children=20)
    root, *children = nodes(search)
    drawn = [world.actions(candidate) for candidate in search.candidates()]
    assert len(drawn) == 20
    assert {node.lineage: node.prior for node in children} == {
        lineage: pytest.approx(drawn.count(actions) / 20) for actions, lineage in _first_drawn(drawn)
    }
    assert root.visits == len(children) == 2


def _first_drawn(drawn: list[Actions]) -> Iterator[tuple[Actions, Actions]]:
    return ((actions, (drawn.index(actions),)) for actions in set(drawn))


@pytest.mark.parametrize(
    "wrong",
    [
        {"evaluate": "leaf", "batch": 1},
        {"children": 4, "batch": 5},
        {"until_decided": True},
        {"selection": "ucb"},
        {"discount": 0.0},
    ],
)
def test_options_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options(**wrong)


@pytest.mark.parametrize(
    "settings", [{}, {"batch": 1}, {"rollouts": 2}, {"rollouts": 2, "evaluate": "leaf"}], ids=repr
)
def test_no_more_is_drawn_than_was_said(settings: dict[str, object]) -> None:
    options = Options(iterations=20, children=3, finish=1, **settings)
    asked, _ = searched(scattered(1, depth=9), **options.model_dump(exclude={"kind"}))
    assert sum(expansion.count for expansion in asked) <= most_draws(options)


if __name__ == "__main__":
    GOLDEN.write_text("[\n" + ",\n".join(map(json.dumps, small_tree())) + "\n]\n", encoding="utf-8")
