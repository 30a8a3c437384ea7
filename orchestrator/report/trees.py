"""A recorded search as the tree that a report shows, with what the search knew of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.decisions import Stopped, Told
from branchwise.orchestrator.core.errors import JournalError
from branchwise.orchestrator.core.inspection import NodeStatistics, Statistics
from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.report.tree import Edge, Node, Tree, TreeFacts, node_id
from branchwise.orchestrator.workflow.tree import Selected, grow

SHOWN = (
    "text", "observation", "score", "step_scores", "order", "expanded", "stop", "answer", "selected", "cancelled",
    "under_way", "failure", "votes",
)  # fmt: skip
CHANGED = "visits and values are not shown: this version searches in another way than the one that made the run"


def shown_tree(strategy: str, search: SearchRecord, selected: Selected, expected: str | None) -> Tree:
    """The tree of one search; ``expected`` is the right answer where it is known."""
    tree, (statistics, note) = networkx.DiGraph(), _statistics(search)
    grow(tree, search, {}, selected)
    known = {node_id(lineage): one for lineage, one in statistics.items()}
    return Tree(
        graph=TreeFacts(
            strategy=strategy,
            problem=search.root.problem.id,
            algorithm=search.node,
            scale=_scale(search),
            note="; ".join(filter(None, (_ended(search), note))),
        ),
        nodes=tuple(_node(name, node, known.get(name), expected) for name, node in tree.nodes(data=True)),
        edges=tuple(Edge(source=source, target=target) for source, target in tree.edges()),
    )


def _statistics(search: SearchRecord) -> tuple[Statistics, str]:
    """What the search knew, or else why that is not shown."""
    try:
        return search.statistics(), ""
    except JournalError:
        return {}, CHANGED


def _node(name: str, node: Mapping[str, Any], known: NodeStatistics | None, expected: str | None) -> Node:
    answer = node.get("answer")
    correct = canonical(answer) == canonical(expected) if answer is not None and expected is not None else None
    facts = {key: node[key] for key in SHOWN if key in node}
    if known is not None:
        facts |= {"visits": known.visits, "value": known.value, "prior": known.prior, "extra": dict(known.extra)}
    return Node(id=name, correct=correct, **facts)


def _scale(search: SearchRecord) -> Scale:
    for decision in search.decisions:
        if isinstance(decision, Told):
            for candidate in decision.outcome.candidates:
                if candidate.judgement is not None and candidate.judgement.failure is None:
                    return candidate.judgement.scale
    return "probability"


def _ended(search: SearchRecord) -> str:
    last = [decision for decision in search.decisions if isinstance(decision, Stopped)]
    return f"ended: {last[-1].reason.value}" if last else "not finished"
