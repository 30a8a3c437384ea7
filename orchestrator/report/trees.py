"""A recorded search as the tree that a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.decisions import Stopped, Told
from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.journal.reader import RecordedSearch
from branchwise.orchestrator.report.tree import Edge, Node, Tree, TreeFacts
from branchwise.orchestrator.workflow.tree import grow

SHOWN = ("text", "step_scores", "order", "stop", "answer", "selected", "cancelled", "failure")


def shown_tree(strategy: str, search: RecordedSearch, selected: tuple[int, ...] | None, expected: str | None) -> Tree:
    """The tree of one search; ``selected`` is the answer's lineage, ``expected`` what is right where it is known."""
    tree = networkx.DiGraph()
    grow(tree, search.root, search.decisions, selected)
    return Tree(
        graph=TreeFacts(
            strategy=strategy,
            problem=search.root.problem.id,
            algorithm=search.node,
            scale=_scale(search),
            note=_ended(search),
        ),
        nodes=tuple(_node(name, node, expected) for name, node in tree.nodes(data=True)),
        edges=tuple(Edge(source=source, target=target) for source, target in tree.edges()),
    )


def _node(name: str, node: Mapping[str, Any], expected: str | None) -> Node:
    answer = node.get("answer")
    correct = canonical(answer) == canonical(expected) if answer is not None and expected is not None else None
    known = {key: node[key] for key in SHOWN if key in node}
    return Node(id=name, score=node.get("value"), correct=correct, **known)


def _scale(search: RecordedSearch) -> Scale:
    for decision in search.decisions:
        if isinstance(decision, Told):
            for candidate in decision.outcome.candidates:
                if candidate.judgement is not None and candidate.judgement.failure is None:
                    return candidate.judgement.scale
    return "probability"


def _ended(search: RecordedSearch) -> str:
    last = [decision for decision in search.decisions if isinstance(decision, Stopped)]
    return f"ended: {last[-1].reason.value}" if last else "not finished"
