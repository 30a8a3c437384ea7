"""The nodes of a Monte Carlo search tree as rows that can be compared and stored."""

from __future__ import annotations

from dataclasses import dataclass

from branchwise.orchestrator.search.mcts import MCTS
from branchwise.orchestrator.search.statistics import prior


@dataclass(frozen=True)
class Row:
    """All there is to know of a node. ``value`` and ``best`` are None where nothing was backed up."""

    lineage: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    visits: int
    value: float | None
    best: float | None
    prior: float
    expanded: int | None


def nodes(search: MCTS) -> list[Row]:
    """Every node in the order told."""
    tree = search.state.tree
    return [
        Row(
            node.trajectory.lineage,
            tuple(tree.nodes[parent].trajectory.lineage for parent in node.parents),
            node.visits,
            node.value if node.returns else None,
            node.best if node.returns else None,
            prior(tree, index),
            node.expanded,
        )
        for index, node in enumerate(tree.nodes)
    ]
