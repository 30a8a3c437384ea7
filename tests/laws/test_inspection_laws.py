"""The laws of looking into a search: of every algorithm found on disk, at every moment, from its record alone."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import networkx
import pytest

from branchwise.orchestrator.core.decisions import Asked, Decision, Stopped, Told
from branchwise.orchestrator.core.errors import JournalError
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics, statistics_of
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.record import SearchRecord, counted
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.saving import restore, save
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.journal.manifest import Manifest, NodeFacts
from branchwise.orchestrator.workflow.searching import beginning, recorded_beginnings
from branchwise.orchestrator.workflow.tree import Selected, grow, node_id, tree_of_records
from tests.laws.toy import ROOT, all_settings
from tests.laws.toy import grow as brought

SEED = 5
every_search = pytest.mark.parametrize("options", all_settings(), ids=lambda options: repr(options)[:60])
every_rate = pytest.mark.parametrize("failure_rate", [0.0, 0.3, 1.0])


def moments(options: Options, failure_rate: float) -> tuple[list[Decision], list[Statistics]]:
    """All decisions of a search whose outcomes come in any order, and what it said of its nodes after each."""
    search, rng = beginning(options, SEED)(ROOT), random.Random(3)
    decisions, said, out, told = list[Decision](), list[Statistics](), list[Expansion](), list[Outcome]()

    def decided(decision: Decision) -> None:
        decisions.append(decision)
        said.append(statistics_of(search) or counted(ROOT, told))

    while not search.finished:
        if asked := search.ask(8 - len(out)):
            out += asked
            decided(Asked(8 - len(out) + len(asked), tuple(asked)))
        outcome = brought(out.pop(rng.randrange(len(out))), failure_rate)
        search.tell(outcome)
        told.append(outcome)
        decided(Told(outcome))
    decided(Stopped(StopReason.ANSWERED, tuple(expansion.ticket for expansion in out)))
    return decisions, said


def record(options: Options, decisions: list[Decision]) -> SearchRecord:
    return SearchRecord("node", ROOT, decisions, beginning(options, SEED))


@every_search
@every_rate
def test_what_a_search_says_follows_from_its_record_at_every_moment(options: Options, failure_rate: float) -> None:
    decisions, said = moments(options, failure_rate)
    for moment in range(len(decisions)):
        assert record(options, decisions[: moment + 1]).statistics() == said[moment]


@every_search
@every_rate
def test_it_speaks_of_nodes_that_are_in_the_tree_in_finite_numbers(options: Options, failure_rate: float) -> None:
    decisions, said = moments(options, failure_rate)
    for moment in range(len(decisions)):
        assert set(lineages(decisions[: moment + 1])) >= said[moment].keys()
        for known in said[moment].values():
            assert known.visits is None or known.visits >= 0
            assert known.value is None or math.isfinite(known.value)
            assert known.prior is None or 0 <= known.prior <= 1
            assert all(isinstance(fact, str) or math.isfinite(fact) for _, fact in known.extra)


def lineages(decisions: list[Decision]) -> list[tuple[int, ...]]:
    told = [decision.outcome for decision in decisions if isinstance(decision, Told)]
    return [(), *(candidate.trajectory.lineage for outcome in told for candidate in outcome.candidates)]


@every_search
@every_rate
def test_no_node_is_visited_more_often_than_the_root(options: Options, failure_rate: float) -> None:
    for said in moments(options, failure_rate)[1]:
        visits = {lineage: known.visits for lineage, known in said.items() if known.visits is not None}
        assert max(visits.values(), default=0) == visits.get((), 0)


@every_search
def test_saved_and_restored_it_says_the_same(options: Options) -> None:
    search, out = beginning(options, SEED)(ROOT), list[Expansion]()
    while not search.finished:
        out += search.ask(4 - len(out))
        search.tell(brought(out.pop(), 0.2))
        again: Search = beginning(options, SEED)(ROOT)
        restore(again, save(search))
        assert statistics_of(again) == statistics_of(search)


@every_search
@every_rate
def test_the_order_is_one_and_parents_come_before_their_children(options: Options, failure_rate: float) -> None:
    decisions, _ = moments(options, failure_rate)
    for moment in range(len(decisions)):
        tree = tree_of_records("toy", [record(options, decisions[: moment + 1])])
        order = networkx.get_node_attributes(tree, "order")
        waiting = networkx.get_node_attributes(tree, "under_way")
        expanded = networkx.get_node_attributes(tree, "expanded")
        assert networkx.is_arborescence(tree)
        assert sorted(order.values()) == list(range(len(tree) - len(waiting)))
        assert order.keys().isdisjoint(waiting)
        assert all(order[parent] < order[child] for parent, child in tree.edges if child in order)
        asked = [decision.expansions for decision in decisions[: moment + 1] if isinstance(decision, Asked)]
        parents = dict.fromkeys(node_id(each.parent.lineage) for expansions in asked for each in expansions)
        assert expanded == {parent: number for number, parent in enumerate(parents, 1)}
        assert expanded.keys() == {parent for parent, _ in tree.edges}
        assert all(expanded[parent] < expanded[child] for parent, child in tree.edges if child in expanded)
    assert not waiting


@every_search
def test_a_manifest_is_enough_to_begin_it_anew(options: Options) -> None:
    facts = NodeFacts(
        kind="search", algorithm=options.kind, options=options.model_dump(mode="json", exclude={"kind"})
    )
    nodes = {"node": facts, "gone": NodeFacts(kind="search", algorithm="no such kind"), "agent": NodeFacts(kind="a")}
    manifest = Manifest(plan={}, plan_hash="", seed=SEED, version="", nodes=nodes)
    begins = recorded_beginnings(Manifest.model_validate_json(manifest.model_dump_json()))
    decisions, said = moments(options, 0.2)
    assert begins.keys() == {"node"}
    assert SearchRecord("node", ROOT, decisions, begins["node"]).statistics() == said[-1]


@every_search
def test_every_search_says_how_often_it_came_through_the_root(options: Options) -> None:
    said = moments(options, 0.0)[1]
    assert said[-1][()].visits
    assert len(said[-1]) > 1


def test_some_say_it_themselves() -> None:
    speaking = {options.kind for options in all_settings() if hasattr(beginning(options, SEED)(ROOT), "statistics")}
    assert speaking >= {"mcts", "ab_mcts", "particle_filter", "feynman_kac", "by_difficulty"}


def test_of_the_others_draws_are_counted() -> None:
    text = {(0,): "a", (1,): "b", (0, 0): "c", (0, 1): "d", (0, 1, 0): "e"}
    told = [Outcome(0, tuple(Candidate(replace(ROOT, lineage=lineage)) for lineage in text))]
    found = counted(ROOT, told)
    assert {lineage: known.visits for lineage, known in found.items()} == {
        (): 5, (0,): 4, (1,): 1, (0, 0): 1, (0, 1): 2, (0, 1, 0): 1
    }  # fmt: skip
    assert [known.prior for known in found.values()] == [1.0, 0.5, 0.5, 0.5, 0.5, 1.0]


def test_a_search_that_is_not_the_recorded_one_says_nothing_and_its_tree_is_there() -> None:
    first, other = (next(o for o in all_settings() if o.kind == kind) for kind in ("mcts", "ab_mcts"))
    decisions, said = moments(first, 0.0)
    changed = SearchRecord("node", ROOT, decisions, beginning(other, SEED))
    with pytest.raises(JournalError, match="asks for something else"):
        changed.statistics()
    tree = tree_of_records("toy", [changed])
    assert tree.nodes["0"].keys().isdisjoint({"visits", "prior"})
    assert len(tree) == len(tree_of_records("toy", [record(first, decisions)])) > len(said[-1]) / 2


def test_the_tree_holds_what_the_search_says() -> None:
    options = next(o for o in all_settings() if o.kind == "mcts")
    decisions, said = moments(options, 0.3)
    tree = networkx.DiGraph()
    grow(tree, record(options, decisions), said[-1], Selected())
    for lineage, known in said[-1].items():
        node = tree.nodes[node_id(lineage)]
        assert (node["visits"], node["prior"], node["extra"]) == (known.visits, known.prior, dict(known.extra))
        assert node.get("value") == (known.value if known.value is not None else node.get("score"))
