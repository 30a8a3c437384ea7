"""The shape of a report: round trips, refusals, and trees that networkx can read."""

import json
from collections.abc import Callable

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.report.data import Point, Report, Strategy
from branchwise.orchestrator.report.shown import TokenCount, role_tokens, writable
from branchwise.orchestrator.report.tree import Edge, Node, Tree, TreeFacts, node_id
from tests.report.sample import hostile, realistic

FACTS = TreeFacts(strategy="s", problem="p")


@pytest.mark.parametrize("make", [realistic, hostile])
def test_json_out_and_in_changes_nothing(make: Callable[[], Report]) -> None:
    report = make()
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_networkx_reads_a_tree_and_gives_it_back() -> None:
    for tree in realistic().trees:
        graph = nx.node_link_graph(json.loads(tree.model_dump_json()), edges="edges")
        assert nx.is_arborescence(graph)
        again = Tree.model_validate(nx.node_link_data(graph, edges="links"))  # by source, so in another order
        assert (again.graph, again.nodes, set(again.edges)) == (tree.graph, tree.nodes, set(tree.edges))


@pytest.mark.parametrize(
    ("ids", "edges"),
    [
        (["root", "0", "0"], [("root", "0")]),  # an id twice
        (["root", "0"], [("root", "1")]),  # an unknown end
        (["root", "0"], []),  # two roots
        (["root", "0", "1"], [("root", "1"), ("0", "1")]),  # two parents
        (["root", "0", "1"], [("0", "1"), ("1", "0")]),  # a cycle beside the root
        (["0"], [("0", "0")]),  # a cycle and no root
        ([], []),
    ],
)
def test_what_is_no_tree_is_refused(ids: list[str], edges: list[tuple[str, str]]) -> None:
    nodes = tuple(Node(id=id) for id in ids)
    with pytest.raises(ValidationError):
        Tree(graph=FACTS, nodes=nodes, edges=tuple(Edge(source=a, target=b) for a, b in edges))


def test_node_ids_are_lineages() -> None:
    assert (node_id(()), node_id((0, 2, 1))) == ("root", "0.2.1")


@pytest.mark.parametrize(
    "counts",
    [
        {"attempted": 3, "graded": 4, "correct": 1},
        {"attempted": 3, "graded": 2, "correct": 3},
        {"attempted": 3, "graded": 3, "correct": 1, "failed": {"backend": 1}},
        {"attempted": 3, "graded": 3, "correct": 1, "seconds": float("nan")},
        {"attempted": 3, "graded": 3, "correct": 1, "unknown": 1},
    ],
)
def test_counts_that_do_not_fit_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Strategy(name="s", algorithm="a", **counts)


def test_names_of_nothing_are_refused() -> None:
    report = realistic(problems=12)
    for change in ({"problems": ()}, {"strategies": report.strategies[1:]}, {"problems": report.problems * 2}):
        with pytest.raises(ValidationError, match="names"):
            Report.model_validate({**dict(report), **change})


def test_a_point_needs_an_interval_around_it_and_tokens() -> None:
    with pytest.raises(ValidationError, match="low <= accuracy"):
        Point(label="N=4", drawn_tokens={"policy": 5}, accuracy=0.5, low=0.6, high=0.7, graded=9)
    with pytest.raises(ValidationError, match="tokens"):
        Point(label="N=4", drawn_tokens={"policy": 0}, accuracy=0.5, low=0.4, high=0.7, graded=9)


def test_tallies_stand_side_by_side_with_the_policy_first() -> None:
    drawn = {"verifier": Usage(10, 1, calls=1), "policy": Usage(5, 7, calls=2, exact=False), "a": Usage(1, 1)}
    roles = role_tokens(drawn, {"policy": Usage(2, 3, calls=1)})
    assert [role.role for role in roles] == ["policy", "verifier", "a"]
    assert roles[0].drawn == TokenCount(prompt=5, completion=7, calls=2, exact=False)
    assert (roles[0].paid.tokens, roles[1].paid.tokens) == (5, 0)


@given(st.text(st.characters(), max_size=30))
def test_writable_changes_lone_surrogates_only(text: str) -> None:
    changed = writable(text)
    assert isinstance(changed, str)
    changed.encode("utf-8")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        assert "\ufffd" in changed
    else:
        assert changed == text
