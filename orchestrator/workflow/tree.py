"""The search tree as a networkx graph, rebuilt from decisions alone: of a result, or of a problem under way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx

from branchwise.orchestrator.core.decisions import Asked, Refused, Stopped, Told
from branchwise.orchestrator.core.errors import ConfigError, JournalError
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.journal.reader import Recorded, recorded
from branchwise.orchestrator.workflow.searching import node_of, recorded_beginnings

ROOT = "root"


@dataclass(frozen=True, slots=True)
class Selected:
    """What came of a problem: the lineage of its answer, and the votes for each canonical answer. None: not yet."""

    lineage: tuple[int, ...] | None = None
    votes: Mapping[str, float] = field(default_factory=dict)

    def leads_through(self, lineage: tuple[int, ...]) -> bool:
        """True on the way to the answer."""
        return self.lineage is not None and self.lineage[: len(lineage)] == lineage


def selected_by(result: Result | None) -> Selected:
    """What was selected, if there is a result."""
    if result is None:
        return Selected()
    return Selected(result.trajectory.lineage if result.trajectory is not None else None, dict(result.votes))


def tree_of(result: Result) -> networkx.DiGraph:
    """All searches of the result in one graph (a second search's ids carry its node's name)."""
    return tree_of_records(result.problem_id, result.record() if result.record else (), selected_by(result))


def read_tree(directory: str | Path, problem_id: str) -> networkx.DiGraph:
    """The tree of a problem from a run directory, also while it is searched. ConfigError where there is none."""
    with recorded(Path(directory)) as journal:
        problem = next((each for each in journal.problems() if each.id == problem_id), None)
        if problem is None:
            raise ConfigError(f"{directory}: no problem {problem_id!r} was started there")
        result = next((each for each in journal.results() if each.problem_id == problem_id), None)
        return tree_of_records(problem_id, inspectable(journal, journal.searches(problem)), selected_by(result))


def inspectable(journal: Recorded, records: Iterable[SearchRecord]) -> list[SearchRecord]:
    """The records of a run, with what begins their searches anew where that is at hand."""
    begins = recorded_beginnings(journal.manifest)
    return [replace(record, begin=begins.get(node_of(record.node))) for record in records]


def tree_of_records(
    problem_id: str, records: Iterable[SearchRecord], selected: Selected | None = None
) -> networkx.DiGraph:
    """All searches on a problem in one graph; statistics of those that can still be replayed."""
    tree = networkx.DiGraph(problem=problem_id)
    for record in records:
        statistics: Statistics = {}
        with suppress(JournalError):  # of a search that has changed since there is the record and no more
            statistics = record.statistics()
        grow(tree, record, statistics, selected or Selected(), f"{record.node}:" if tree else "")
    return tree


def grow(
    tree: networkx.DiGraph, record: SearchRecord, statistics: Statistics, selected: Selected, prefix: str = ""
) -> None:
    """Add one search: a node a candidate, in the order told; children that never came, or not yet, stay as stubs."""
    growth = _Growth(tree, selected, prefix)
    tree.add_node(prefix + ROOT, text=record.root.problem.text, order=0, selected=selected.lineage is not None)
    for decision in record.decisions:
        match decision:
            case Asked(_, expansions):
                growth.out |= {expansion.ticket: expansion for expansion in expansions}
            case Told(outcome):
                growth.add(outcome)
            case Refused(tickets):
                for ticket in tickets:
                    growth.out.pop(ticket, None)
            case Stopped(_, cancelled):
                growth.stub(cancelled, order=True, cancelled=True)
    growth.stub(tuple(growth.out), order=False, under_way=True)
    growth.number()
    for lineage, known in statistics.items():
        node = tree.nodes[prefix + node_id(lineage)]
        node |= {"visits": known.visits, "prior": known.prior, "extra": dict(known.extra)}
        node |= {"value": known.value} if known.value is not None else {}


def node_id(lineage: tuple[int, ...]) -> str:
    """The name of a node: its lineage, as 0.2.1."""
    return ".".join(map(str, lineage)) or ROOT


@dataclass(slots=True)
class _Growth:
    """A search's part of a graph, as far as it has grown; ``out`` was asked for and has not come."""

    tree: networkx.DiGraph
    selected: Selected
    prefix: str
    out: dict[int, Expansion] = field(default_factory=dict)
    expanded: dict[int, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Put in what was told."""
        parent = self._expanded(outcome.ticket)
        for candidate in outcome.candidates:
            child = self.prefix + node_id(candidate.trajectory.lineage)
            facts = _facts(candidate) | _chosen(candidate, self.selected)
            self.tree.add_node(child, order=len(self.tree), **facts)
            self.tree.add_edge(parent, child)

    def stub(self, tickets: Iterable[int], order: bool, **state: bool) -> None:
        """Put in what did not come, without a text."""
        for ticket in tickets:
            expansion = self.out[ticket]
            parent = self._expanded(ticket)
            for k in range(expansion.first, expansion.first + expansion.count):
                child = self.prefix + node_id((*expansion.parent.lineage, k))
                place = {"order": len(self.tree)} if order else {}
                self.tree.add_node(child, text="", selected=False, **place, **state)
                self.tree.add_edge(parent, child)

    def number(self) -> None:
        """Say of every parent as which it was first expanded, from 1."""
        first = dict.fromkeys(parent for _, parent in sorted(self.expanded.items()))
        for number, parent in enumerate(first, 1):
            self.tree.nodes[parent]["expanded"] = number

    def _expanded(self, ticket: int) -> str:
        parent = self.prefix + node_id(self.out.pop(ticket).parent.lineage)
        self.expanded[ticket] = parent
        return parent


def _facts(candidate: Candidate) -> dict[str, Any]:
    """What is on record of a candidate. Its value is its score, unless the search knows better."""
    trajectory, judgement, failure = candidate.trajectory, candidate.judgement, candidate.failure
    new = trajectory.steps[candidate.parent_steps :]
    if failure is None and judgement is not None:
        failure = judgement.failure
    return {
        "text": "".join(step.text for step in new),
        "observation": "".join(step.observation or "" for step in new) or None,
        "score": candidate.value,
        "value": candidate.value,
        "step_scores": [step.score for step in new],
        "stop": trajectory.stop.value if trajectory.stop else None,
        "answer": candidate.answer.text if candidate.answer else None,
        "failure": f"{failure.boundary}: {failure.message}" if failure else None,
        "rationale": judgement.rationale if judgement else None,
    }


def _chosen(candidate: Candidate, selected: Selected) -> dict[str, Any]:
    """Whether it leads to what was selected, and the votes for its answer, a tournament's score say."""
    votes = selected.votes.get(candidate.answer.canonical) if candidate.answer else None
    known = {} if votes is None else {"votes": votes}
    return {"selected": selected.leads_through(candidate.trajectory.lineage), **known}
