"""Trees in a report: what a search knew, what is on record without it, what is under way, hostile texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from branchwise.orchestrator.core.decisions import Asked, Refused, Told
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.report.tree import Tree, node_id
from branchwise.orchestrator.report.trees import CHANGED, shown_tree
from branchwise.orchestrator.workflow.tree import Selected
from tests.report.searched import ALGORITHMS, recorded, searched_tree


def of(kind: str, outcomes: int | None = None) -> Tree:
    return searched_tree(kind, "s", "p", outcomes)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_every_algorithm_has_its_order_and_its_visits(kind: str) -> None:
    tree = of(kind)
    assert sorted(node.order for node in tree.nodes if node.order is not None) == list(range(len(tree.nodes)))
    expanded = {node.expanded for node in tree.nodes} - {None}
    assert expanded == set(range(1, len(expanded) + 1))
    assert {node.expanded is not None for node in tree.nodes if node.stop is not None} == {False}
    assert tree.nodes[0].visits
    assert all(node.score is not None for node in tree.nodes[1:])


def test_a_tree_of_monte_carlo_tree_search_has_all_that_it_knew() -> None:
    record, tree = recorded("mcts"), of("mcts")
    known = {node_id(lineage): one for lineage, one in record.statistics().items()}
    assert len(known) < len(tree.nodes)  # equal draws are one node to the search
    for node in tree.nodes:
        if node.id in known:
            one = known[node.id]
            assert (node.visits, node.value, node.prior) == (one.visits, one.value, one.prior)
            assert node.extra.get("best_return") == dict(one.extra).get("best_return")
        else:
            assert (node.visits, node.value, node.prior, node.expanded) == (None, None, None, None)
    by_id = {node.id: node for node in tree.nodes}
    for edge in tree.edges:
        assert (by_id[edge.target].visits or 0) <= (by_id[edge.source].visits or 0)


def test_the_particles_that_are_left_descend_from_what_was_visited() -> None:
    tree = of("particle_filter")
    ended = [node for node in tree.nodes if node.stop is not None]
    assert (
        tree.nodes[0].visits == sum(node.visits or 0 for node in ended) == ALGORITHMS["particle_filter"]["particles"]
    )
    assert any(node.visits == 0 for node in tree.nodes)


def test_what_is_under_way_is_shown_without_an_order() -> None:
    waiting = [node for node in of("mcts", outcomes=10).nodes if node.under_way]
    assert waiting
    assert all((node.order, node.text, node.visits) == (None, "", None) for node in waiting)
    assert not [node for node in of("mcts").nodes if node.under_way]


def test_what_a_budget_refused_was_never_under_way() -> None:
    record = recorded("mcts", 10)
    asked = {e.ticket for d in record.decisions if isinstance(d, Asked) for e in d.expansions}
    out = asked - {d.outcome.ticket for d in record.decisions if isinstance(d, Told)}
    refused = Refused(tuple(out), StopReason.BUDGET_TOKENS)
    tree = shown_tree("s", replace(record, decisions=[*record.decisions, refused]), Selected(), None)
    assert not [node for node in tree.nodes if node.under_way]
    assert tree.nodes[0].visits == shown_tree("s", record, Selected(), None).nodes[0].visits


def test_a_search_that_is_another_one_by_now_leaves_the_record_and_a_note() -> None:
    record = replace(recorded("mcts"), begin=recorded("ab_mcts").begin)
    tree = shown_tree("s", record, Selected(), None)
    assert tree.graph.note == f"ended: answered; {CHANGED}"
    assert {node.visits for node in tree.nodes} == {None}
    assert [node.id for node in tree.nodes] == [node.id for node in of("mcts").nodes]
    assert shown_tree("s", replace(record, begin=None), Selected(), None).graph.note == "ended: answered"


def test_answers_have_the_votes_for_them() -> None:
    record = recorded("beam")
    answers = [c.answer for d in record.decisions if isinstance(d, Told) for c in d.outcome.candidates if c.answer]
    votes = {answer.canonical: 0.25 * k for k, answer in enumerate(answers)}
    tree = shown_tree("s", record, Selected((), votes), None)
    assert {node.answer: node.votes for node in tree.nodes if node.answer} == votes
    assert {node.votes for node in tree.nodes if node.answer is None} == {None}
