"""Statistics: what Monte Carlo tree search knows of each node, by its lineage, for those who look into the tree."""

from __future__ import annotations

from branchwise.orchestrator.core.inspection import NodeStatistics, Statistics
from branchwise.orchestrator.search.tree import Node, Tree


def statistics(tree: Tree) -> Statistics:
    """Every node in the order told, the root first. Value and best return only where a value was backed up."""
    return {node.trajectory.lineage: _of(tree, index) for index, node in enumerate(tree.nodes)}


def prior(tree: Tree, index: int) -> float:
    """A node's share of the draws from the first node that led to it; the root's is one."""
    parents = tree.nodes[index].parents
    if not parents:
        return 1.0
    counts = tree.nodes[parents[0]].children
    return counts[index] / sum(counts.values())


def _of(tree: Tree, index: int) -> NodeStatistics:
    node = tree.nodes[index]
    known: list[tuple[str, str | float]] = [("best_return", node.best)] if node.returns else []
    if node.returns < node.visits:
        known.append(("visits_without_a_value", node.visits - node.returns))
    if len(node.parents) > 1:
        known.append(("reached_from", ", ".join(_name(tree.nodes[parent]) for parent in node.parents)))
    value = node.value if node.returns else None
    return NodeStatistics(node.visits, value, prior(tree, index), tuple(known))


def _name(node: Node) -> str:
    return ".".join(map(str, node.trajectory.lineage)) or "root"
