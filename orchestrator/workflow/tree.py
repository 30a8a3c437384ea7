"""The search tree of a result as a networkx graph, rebuilt from its decisions alone."""

from __future__ import annotations

from collections.abc import Iterable

import networkx

from branchwise.orchestrator.core.decisions import Asked, Decision, Stopped, Told
from branchwise.orchestrator.core.expansion import Candidate, Expansion
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.trajectory import Trajectory

ROOT = "root"


def tree_of(result: Result) -> networkx.DiGraph:
    """All searches of the result in one graph (a second search's ids carry its node's name)."""
    tree = networkx.DiGraph(problem=result.problem_id)
    chosen = result.trajectory.lineage if result.trajectory is not None else None
    for index, (node, root, decisions) in enumerate(result.record() if result.record else ()):
        prefix = "" if index == 0 else f"{node}:"
        grow(tree, root, decisions, chosen, prefix)
    return tree


def grow(
    tree: networkx.DiGraph,
    root: Trajectory,
    decisions: Iterable[Decision],
    chosen: tuple[int, ...] | None,
    prefix: str = "",
) -> None:
    """Add one search: a node a candidate, numbered in the order told; cancelled children stay in as stubs."""
    tree.add_node(prefix + ROOT, text=root.problem.text, order=0, selected=chosen is not None)
    out: dict[int, Expansion] = {}
    for decision in decisions:
        match decision:
            case Asked(_, expansions):
                out |= {expansion.ticket: expansion for expansion in expansions}
            case Told(outcome):
                parent = out.pop(outcome.ticket).parent
                for candidate in outcome.candidates:
                    _add(tree, parent, candidate, chosen, prefix)
            case Stopped(_, cancelled):
                for ticket in cancelled:
                    expansion = out.pop(ticket)
                    for k in range(expansion.first, expansion.first + expansion.count):
                        child = prefix + node_id((*expansion.parent.lineage, k))
                        tree.add_node(child, text="", order=len(tree), cancelled=True, selected=False)
                        tree.add_edge(prefix + node_id(expansion.parent.lineage), child)


def node_id(lineage: tuple[int, ...]) -> str:
    """The name of a node: its lineage, as 0.2.1."""
    return ".".join(map(str, lineage)) or ROOT


def _add(
    tree: networkx.DiGraph,
    parent: Trajectory,
    candidate: Candidate,
    chosen: tuple[int, ...] | None,
    prefix: str,
) -> None:
    trajectory, judgement, failure = candidate.trajectory, candidate.judgement, candidate.failure
    new = trajectory.steps[candidate.parent_steps :]
    if failure is None and judgement is not None:
        failure = judgement.failure
    child = prefix + node_id(trajectory.lineage)
    tree.add_node(
        child,
        text="".join(step.text for step in new),
        order=len(tree),
        value=candidate.value,
        step_scores=[step.score for step in new],
        stop=trajectory.stop.value if trajectory.stop else None,
        answer=candidate.answer.text if candidate.answer else None,
        failure=f"{failure.boundary}: {failure.message}" if failure else None,
        selected=chosen is not None and chosen[: len(trajectory.lineage)] == trajectory.lineage,
    )
    tree.add_edge(prefix + node_id(parent.lineage), child)
