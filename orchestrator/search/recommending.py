"""What a tree recommends: the way down that its statistics favour, and the best answer at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.search.tree import ROOT, Node, Tree

By = Literal["value", "visits"]


def principal_way(tree: Tree, by: By) -> list[int]:
    """From the root to the child with the greatest mean value or the most visits, and on; ties to the first drawn.

    It leads through no node without a value.
    """
    way, nodes = [ROOT], tree.nodes
    while valued := [index for index in nodes[way[-1]].children if nodes[index].returns]:
        way.append(max(valued, key=lambda index: _preferred(nodes[index], by)))
    return way


def is_decided(tree: Tree, visits_left: int) -> bool:
    """True where no first step can have more visits in the end than the one in front, and that one has a value."""
    steps = [tree.nodes[index] for index in tree.root.children]
    leader = max(steps, key=lambda node: node.visits, default=None)
    if leader is None or not leader.returns:
        return False
    second = max((node.visits for node in steps if node is not leader), default=0)
    return leader.visits - second > visits_left


def recommended(tree: Tree, candidates: Sequence[Candidate], by: By) -> Candidate | None:
    """The best finished answer at the end of the principal way, or else above it, as near as there is one.

    One without a value, for its judgement failed, only where no other has one.
    """
    candidates = [each for each in candidates if each.value is not None] or candidates
    for index in reversed(principal_way(tree, by)):
        lineage = tree.nodes[index].trajectory.lineage
        below = [each for each in candidates if each.trajectory.lineage[: len(lineage)] == lineage]
        if below:
            return best_finished(below)
    return best_finished(candidates)


def best_finished(candidates: Sequence[Candidate]) -> Candidate | None:
    """The candidate of the greatest value, those without one last, ties to the first."""
    if not candidates:
        return None
    return max(candidates, key=lambda each: float("-inf") if each.value is None else each.value)


def _preferred(node: Node, by: By) -> tuple[float, float]:
    return (node.value, node.visits) if by == "value" else (node.visits, node.value)
