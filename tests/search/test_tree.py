"""The arithmetic of tree search: the selection rules' numbers, backing up, ways on, and what a tree recommends."""

from __future__ import annotations

import math

import pytest

from branchwise.orchestrator.core.expansion import Answer, Candidate
from branchwise.orchestrator.core.inspection import NodeStatistics
from branchwise.orchestrator.core.judgement import judged
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.search.recommending import best_finished, is_decided, principal_way, recommended
from branchwise.orchestrator.search.selection import RULES, Selector
from branchwise.orchestrator.search.simulations import State
from branchwise.orchestrator.search.statistics import prior, statistics
from branchwise.orchestrator.search.tree import Node, Tree

ROOT = Trajectory(problem("a tree"))


def score(rule: str, value: float, visits: float, parent_visits: float, prior: float = 1.0) -> float:
    """A child's score under a rule with its usual constant."""
    named = RULES[rule]
    scale = named.c * named.scale(parent_visits)
    return named.score(value, visits, scale * prior if named.by_prior else scale)


def child(parent: Trajectory, k: int, value: float | None = None, text: str = "", **more: object) -> Candidate:
    """Child ``k``, with a text of its own."""
    stop, key = more.get("stop"), more.get("key")
    trajectory = parent.extend((Step(text or f"{k}\n"),), k, stop)  # type: ignore[arg-type]
    judgement = None if value is None else judged(value, scale="probability", source="rule")
    answer = Answer(str(k), str(k)) if stop is not None else None
    return Candidate(trajectory, answer, judgement, None, len(parent.steps), key)  # type: ignore[arg-type]


def grown(*counts: int) -> Tree:
    """A root with children that were drawn so many times each."""
    tree = Tree([Node(ROOT, open=True, ready=1)])
    for k, count in enumerate(counts):
        for _ in range(count):
            tree.enter(0, child(ROOT, k))
    return tree


# -- selection rules ---------------------------------------------------------------------------------------


def test_uct_is_value_and_root_of_log_over_visits() -> None:
    assert score("uct", 0.5, 3, 10) == pytest.approx(0.5 + math.sqrt(math.log(10) / 3))
    assert score("uct", 0.5, 3, 10) == pytest.approx(1.376087, abs=1e-6)
    assert score("uct", 0.5, 0, 10) == math.inf


def test_lats_has_a_two_below_the_root_and_takes_an_unvisited_child_at_its_value() -> None:
    assert score("lats", 0.5, 3, 10) == pytest.approx(0.5 + math.sqrt(2 * math.log(10) / 3))
    assert score("lats", 0.7, 0, 10) == 0.7


def test_puct_is_that_of_alphazero() -> None:
    assert score("puct", 0.5, 3, 16, prior=0.2) == pytest.approx(0.5 + 1.25 * 0.2 * 4 / 4)


def test_puct_best_has_only_the_logarithm_below_the_root() -> None:
    assert RULES["puct_best"].c == pytest.approx(6.36396, abs=1e-5)
    assert score("puct_best", 0.4, 2, 11) == pytest.approx(3.6849, abs=1e-4)
    assert score("puct_best", 0.4, 2, 11, prior=0.3) == pytest.approx(1.3855, abs=1e-4)


def test_the_rules_differ_where_they_should() -> None:
    """One parent, four rules, the same child: no two of the four numbers are the same."""
    assert len({round(score(rule, 0.4, 2, 11, prior=0.3), 6) for rule in RULES}) == 4


def selected(tree: Tree, rule: str, **more: float | None) -> int:
    selector = Selector(RULES[rule], RULES[rule].c, **more)  # type: ignore[arg-type]
    return selector.descend(tree.nodes)[1]


def closed(tree: Tree) -> Tree:
    tree.set_open(0, False)
    return tree


def test_priors_are_shares_of_the_draws_and_puct_goes_by_them() -> None:
    tree = closed(grown(6, 3, 1))
    assert [round(prior(tree, index), 9) for index in (1, 2, 3)] == [0.6, 0.3, 0.1]
    assert selected(tree, "puct") == 1
    for _ in range(3):
        tree.back_up([0, 1], 0.5)
    tree.back_up([0, 2], 0.55)
    # 0.5 + 1.25 * 0.6 * 2 / 4 = 0.875; 0.55 + 1.25 * 0.3 * 2 / 2 = 0.925; 0 + 1.25 * 0.1 * 2 / 1 = 0.25
    assert selected(tree, "puct") == 2


def test_what_was_not_visited_has_no_value() -> None:
    tree = grown(3, 1)
    tree.nodes[2].value = 0.7  # what a selection rule takes for granted
    tree.back_up([0, 1], 0.5)
    root, first, second = statistics(tree).values()
    assert root == NodeStatistics(1, 0.5, 1.0, (("best_return", 0.5),))
    assert first == NodeStatistics(1, 0.5, 0.75, (("best_return", 0.5),))
    assert second == NodeStatistics(0, None, 0.25)


def test_puct_best_selects_by_the_greatest_return_and_the_tree_recommends_by_the_mean() -> None:
    tree = closed(grown(1, 1))
    for value in (0.0, 1.0, 0.2):
        tree.back_up([0, 1], value)
    for value in (0.5, 0.5, 0.5):
        tree.back_up([0, 2], value)
    assert (tree.nodes[1].best, tree.nodes[1].value) == (1.0, pytest.approx(0.4))
    assert selected(tree, "puct_best") == 1
    assert principal_way(tree, "value") == [0, 2]


def test_unvisited_children_come_first_with_uct_and_by_judgement_with_lats() -> None:
    tree = Tree([Node(ROOT)])
    for k, value in enumerate([0.2, 0.9, None]):
        index, _ = tree.enter(0, child(ROOT, k, value))
        tree.nodes[index].value = value or 0.0  # what the search takes for granted under lats
    tree.back_up([0, 1], 0.2)
    assert (selected(tree, "uct"), selected(tree, "lats")) == (2, 2)
    tree.back_up([0, 2], 0.9)
    assert (selected(tree, "uct"), selected(tree, "lats")) == (3, 2)


def test_ties_go_to_the_first_drawn() -> None:
    tree = closed(grown(1, 1, 1))
    for index in (3, 2, 1):
        tree.back_up([0, index], 0.5)
    assert all(selected(tree, rule) == 1 for rule in RULES)


def test_pending_visits_are_visits_and_a_loss_only_where_they_are_given_a_value() -> None:
    tree = closed(grown(1, 1))
    for index, value in ((1, 0.9), (2, 0.5)):
        for _ in range(50):
            tree.back_up([0, index], value)
    assert selected(tree, "uct", loss=1.0, loss_value=0.0) == 1
    tree.nodes[1].pending = tree.nodes[0].pending = 50
    assert selected(tree, "uct", loss=1.0, loss_value=None) == 1  # its value is still 0.9
    assert selected(tree, "uct", loss=1.0, loss_value=0.0) == 2  # now 0.45
    assert selected(tree, "uct", loss=0.0, loss_value=0.0) == 1


# -- backing up --------------------------------------------------------------------------------------------


def chain(length: int) -> Tree:
    tree = Tree([Node(ROOT)])
    for index in range(length):
        tree.enter(index, child(tree.nodes[index].trajectory, 0))
    return tree


def test_a_return_loses_its_discount_at_each_step_on_the_way_up() -> None:
    tree = chain(4)
    tree.back_up([0, 1, 2, 3, 4], 0.8, 0.9)
    assert tree.nodes[1].value == pytest.approx(0.8 * 0.9**3) == pytest.approx(0.5832)
    assert tree.nodes[4].value == 0.8


def test_visits_grow_before_the_running_mean() -> None:
    tree, seen = chain(1), [0.3, 0.9, 0.0, 0.4]
    for count, value in enumerate(seen, start=1):
        before = tree.nodes[1].value
        tree.back_up([0, 1], value)
        assert tree.nodes[1].visits == count
        assert tree.nodes[1].value == pytest.approx((before * (count - 1) + value) / count)
    assert tree.nodes[1].value == pytest.approx(0.4)
    assert tree.nodes[1].best == 0.9


def test_a_greatest_return_may_be_negative() -> None:
    tree = chain(1)
    tree.back_up([0, 1], -2.0)
    assert tree.nodes[1].best == -2.0


# -- growing -----------------------------------------------------------------------------------------------


def test_equal_steps_are_one_child_however_much_space_surrounds_them() -> None:
    tree = Tree([Node(ROOT)])
    entered = [tree.enter(0, child(ROOT, k, 0.5, text)) for k, text in enumerate(["b\n", "b", "a\n", " b \n"])]
    assert entered == [(1, True), (1, False), (2, True), (1, False)]
    assert tree.root.children == {1: 3, 2: 1}


def test_equal_words_that_end_differently_or_show_something_else_are_different_children() -> None:
    tree = Tree([Node(ROOT)])
    tree.enter(0, child(ROOT, 0, text="go"))
    assert tree.enter(0, child(ROOT, 1, text="go", stop=StopReason.ANSWERED)) == (2, True)
    seen = Candidate(ROOT.extend((Step("go", observation="a wall"),), 2))
    assert tree.enter(0, seen) == (3, True)


def test_a_later_draw_lends_its_judgement_to_one_that_could_not_be_judged() -> None:
    tree = Tree([Node(ROOT)])
    tree.enter(0, child(ROOT, 0, None, "same"))
    tree.enter(0, child(ROOT, 1, 0.7, "same"))
    tree.enter(0, child(ROOT, 2, 0.1, "same"))
    assert tree.nodes[1].judged == 0.7


def test_a_node_hears_of_its_last_way_on_being_lost_and_of_the_first_being_found() -> None:
    tree = chain(2)
    assert [node.ready for node in tree.nodes] == [1, 2, 1]
    tree.set_open(2, False)
    assert [node.ready for node in tree.nodes] == [1, 1, 0]
    tree.set_open(1, False)
    assert [node.ready for node in tree.nodes] == [0, 0, 0]
    tree.set_open(2, True)
    assert [node.ready for node in tree.nodes] == [1, 1, 1]


def crossing() -> Tree:
    """Two ways to one state: by 0 then 1, and by 1 then 0."""
    tree = Tree([Node(ROOT)])
    tree.enter(0, child(ROOT, 0, key="a"), merge=True)
    tree.enter(0, child(ROOT, 1, key="b"), merge=True)
    tree.enter(1, child(tree.nodes[1].trajectory, 1, key="ab"), merge=True)
    tree.enter(2, child(tree.nodes[2].trajectory, 0, key="ab"), merge=True)
    return tree


def test_two_ways_to_one_state_lead_to_one_node_whose_statistics_they_share() -> None:
    tree = crossing()
    assert len(tree.nodes) == 4
    assert tree.nodes[3].parents == (1, 2)
    tree.back_up([0, 1, 3], 1.0)
    tree.back_up([0, 2, 3], 0.0)
    assert (tree.nodes[3].visits, tree.nodes[3].value) == (2, 0.5)
    assert [tree.nodes[index].visits for index in (1, 2)] == [1, 1]
    assert [node.ready for node in tree.nodes] == [2, 2, 2, 1]
    for index in (1, 2, 3):
        tree.set_open(index, False)
    assert [node.ready for node in tree.nodes] == [0, 0, 0, 0]  # both parents heard of it


def test_states_are_not_merged_where_the_way_would_lead_in_a_circle() -> None:
    tree = crossing()
    assert tree.is_above(1, 3)
    assert not tree.is_above(1, 2)
    back = tree.enter(3, child(tree.nodes[3].trajectory, 0, key="a"), merge=True)
    assert back == (4, True)
    assert not any(tree.is_above(4, index) for index in range(4))


def test_without_merging_each_way_has_a_node_of_its_own() -> None:
    tree = Tree([Node(ROOT)])
    tree.enter(0, child(ROOT, 0, key="a"))
    assert tree.enter(0, child(ROOT, 1, key="a")) == (2, True)


def test_a_state_in_which_it_ended_is_another_than_the_same_where_it_goes_on() -> None:
    tree = Tree([Node(ROOT)])
    tree.enter(0, child(ROOT, 0, key="a"), merge=True)
    ended = child(ROOT, 1, key="a", stop=StopReason.ENVIRONMENT_DONE)
    assert tree.enter(0, ended, merge=True) == (2, True)


# -- recommending ------------------------------------------------------------------------------------------


def visited(*counts: int) -> Tree:
    tree = grown(*(1 for _ in counts))
    for index, count in enumerate(counts, start=1):
        for _ in range(count):
            tree.back_up([0, index], 1 / index)
    return tree


def test_the_first_step_is_decided_when_what_is_left_can_not_turn_it() -> None:
    assert is_decided(visited(7, 3), 3)
    assert not is_decided(visited(7, 3), 4)
    assert is_decided(visited(1), 0)
    assert not is_decided(visited(), 0)


def test_the_principal_way_goes_by_value_or_by_visits() -> None:
    tree = visited(2, 5)
    assert principal_way(tree, "value") == [0, 1]
    assert principal_way(tree, "visits") == [0, 2]


def test_the_answer_is_the_best_below_the_end_of_the_way_or_else_above_it() -> None:
    tree = chain(2)
    tree.back_up([0, 1, 2], 0.5)
    middle = tree.nodes[1].trajectory
    beside = child(ROOT, 1, 0.9, stop=StopReason.ANSWERED)
    above = [child(middle, k, value, stop=StopReason.ANSWERED) for k, value in ((1, 0.3), (2, 0.4))]
    below = child(tree.nodes[2].trajectory, 0, 0.1, stop=StopReason.ANSWERED)
    assert recommended(tree, [beside, *above, below], "value") is below
    assert recommended(tree, [beside, *above], "value") is above[1]
    assert recommended(tree, [beside], "value") is beside
    assert recommended(tree, [], "value") is None
    assert best_finished([beside, *above, below]) is beside


def test_an_answer_without_a_value_is_recommended_only_where_no_other_has_one() -> None:
    tree = chain(1)
    tree.back_up([0, 1], 0.9)
    unjudged = child(tree.nodes[1].trajectory, 0, None, stop=StopReason.ANSWERED)
    beside = child(ROOT, 1, 0.1, stop=StopReason.ANSWERED)
    assert recommended(tree, [unjudged, beside], "value") is beside
    assert recommended(tree, [unjudged], "value") is unjudged


def test_what_was_set_aside_is_open_again_once_a_value_comes_from_below() -> None:
    state = State(chain(2))
    nodes = state.tree.nodes
    state.tree.set_open(1, True)
    state.set_aside(1)
    state.back_up([0, 1, 2], None, 1.0)
    assert (nodes[1].open, nodes[1].aside, state.aside) == (False, True, [1])
    state.back_up([0, 1, 2], 0.5, 1.0)
    assert (nodes[1].open, nodes[1].aside, state.aside) == (True, False, [])
