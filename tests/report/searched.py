"""Trees that real searches grew in a small invented world, to look at and to test with."""

from __future__ import annotations

import random
from typing import Any

from branchwise.orchestrator.core.decisions import Asked, Decision, Stopped, Told
from branchwise.orchestrator.core.expansion import Expansion
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.report.tree import Tree
from branchwise.orchestrator.report.trees import shown_tree
from branchwise.orchestrator.workflow.searching import beginning
from branchwise.orchestrator.workflow.tree import Selected
from tests.laws.enumerable import ROOT, Actions, World

ALGORITHMS: dict[str, dict[str, Any]] = {
    "mcts": {"iterations": 50, "children": 4, "depth": 6, "exploration": 0.15, "finish": 0},
    "ab_mcts": {"expansions": 60, "over": "steps", "depth": 6},
    "particle_filter": {"particles": 12, "depth": 6, "temperature": 0.5},
    "feynman_kac": {"particles": 12, "depth": 6},
    "best_first": {"expansions": 4, "budget": 20, "depth": 6},
    "beam": {"width": 3, "expansions": 4, "depth": 6},
}
"""Settings under which a tree has some sixty to two hundred nodes."""


def quality(actions: Actions) -> float:
    """How good these actions are: the first ones count most, so good leaves lie together."""
    parts = [(random.Random(repr(actions[: k + 1])).random(), 0.7**k) for k in range(len(actions))]
    return sum(part * weight for part, weight in parts) / sum(weight for _, weight in parts)


WORLD = World(quality, depth=6, branching=4, drawing="sampled", prior=(0.4, 0.3, 0.2, 0.1))


def recorded(kind: str, outcomes: int | None = None, **options: Any) -> SearchRecord:
    """A search over the world, on record up to so many outcomes; None: to its end."""
    algorithm = find("search", kind).module.Options(**{**ALGORITHMS[kind], **options})
    search = beginning(algorithm, 1)(ROOT)
    decisions, out, told = list[Decision](), list[Expansion](), 0
    while not search.finished and told != outcomes:
        if asked := search.ask(16 - len(out)):
            decisions.append(Asked(16 - len(out), tuple(asked)))
            out += asked
        outcome = WORLD.grow(out.pop(0), quality)
        search.tell(outcome)
        decisions.append(Told(outcome))
        told += 1
    if outcomes is None:
        decisions.append(Stopped(StopReason.ANSWERED, tuple(expansion.ticket for expansion in out)))
    return SearchRecord(kind, ROOT, decisions, beginning(algorithm, 1))


def searched_tree(kind: str, strategy: str, problem: str, outcomes: int | None = None, **options: Any) -> Tree:
    """The tree of such a search as a report shows it; what is selected is the best answer."""
    record = recorded(kind, outcomes, **options)
    told = [decision.outcome for decision in record.decisions if isinstance(decision, Told)]
    ended = [c for outcome in told for c in outcome.candidates if c.answer is not None]
    best = max(ended, key=lambda candidate: candidate.value or 0.0, default=None)
    selected = Selected(best.trajectory.lineage if best is not None and outcomes is None else None)
    tree = shown_tree(strategy, record, selected, best.answer.canonical if best is not None and best.answer else None)
    return tree.model_copy(update={"graph": tree.graph.model_copy(update={"problem": problem})})
