"""Which searches of a run a report shows, and a recorded search as a tree, with what it knew of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import networkx

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.decisions import Stopped, Told
from branchwise.orchestrator.core.errors import JournalError
from branchwise.orchestrator.core.inspection import NodeStatistics, Statistics
from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.report.comparing import ReadRun
from branchwise.orchestrator.report.strategy import outcome_of
from branchwise.orchestrator.report.tree import Edge, Node, Tree, TreeFacts, node_id
from branchwise.orchestrator.workflow.searching import node_of
from branchwise.orchestrator.workflow.tree import Selected, grow, inspectable, selected_by

SHOWN = (
    "text", "observation", "score", "step_scores", "order", "expanded", "stop", "answer", "selected", "cancelled",
    "under_way", "failure", "votes", "rationale",
)  # fmt: skip
LONGEST_RATIONALE = 10_000
"""Characters of a judge's text; the journal has them all."""
CHANGED = "visits and values are not shown: this version searches in another way than the one that made the run"


def trees_of(run: ReadRun, count: int, wanted: Sequence[str]) -> Iterator[Tree]:
    """The trees of the problems wanted, and of others, finished and under way, up to ``count`` problems in all."""
    results = {result.problem_id: result for result in run.results}
    open_ones = [problem_id for problem_id in run.problems if problem_id not in results]
    open_ones = open_ones[: max(count // 4, count - len(results))]
    finished = [result.problem_id for result in _chosen(run.results, count - len(open_ones))]
    asked_for = [problem_id for problem_id in dict.fromkeys(wanted) if problem_id in run.problems]
    others = [problem_id for problem_id in finished + open_ones if problem_id not in asked_for]
    for problem_id in asked_for + others[: max(0, count - len(asked_for))]:
        result = results.get(problem_id)
        for search in inspectable(run.journal, run.journal.searches(run.problems[problem_id])):
            yield shown_tree(run.name, search, selected_by(result), _key(result), _algorithm(run, search))


def _key(result: Result | None) -> str | None:
    """The canonical form of the right answer, where it is known."""
    grade = result.grade if result is not None else None
    return (grade.canonical or canonical(grade.expected)) if grade is not None else None


def _chosen(results: Sequence[Result], count: int) -> list[Result]:
    """Half of them right, half not, as far as there are enough; first finished first."""
    right = [result for result in results if outcome_of(result)]
    others = [result for result in results if not outcome_of(result)]
    kept = others[: max(count - count // 2, count - len(right))]
    return kept + right[: count - len(kept)]


def shown_tree(strategy: str, search: SearchRecord, selected: Selected, key: str | None, algorithm: str = "") -> Tree:
    """The tree of one search; ``key`` is the canonical form of the right answer, where it is known."""
    tree, (statistics, note) = networkx.DiGraph(), _statistics(search)
    grow(tree, search, {}, selected)
    known, forms = {node_id(lineage): one for lineage, one in statistics.items()}, _forms(search)
    return Tree(
        graph=TreeFacts(
            strategy=strategy,
            problem=search.root.problem.id,
            algorithm=algorithm or search.node,
            scale=_scale(search),
            note="; ".join(filter(None, (_ended(search), note))),
        ),
        nodes=tuple(
            _node(name, node, known.get(name), _right(node, forms, key)) for name, node in tree.nodes(data=True)
        ),
        edges=tuple(Edge(source=source, target=target) for source, target in tree.edges()),
    )


def _algorithm(run: ReadRun, search: SearchRecord) -> str:
    facts = run.journal.manifest.nodes.get(node_of(search.node))
    return f"{facts.algorithm} ({search.node})" if facts is not None else search.node


def _statistics(search: SearchRecord) -> tuple[Statistics, str]:
    """What the search knew, or else why that is not shown."""
    try:
        return search.statistics(), ""
    except JournalError:
        return {}, CHANGED


def _forms(search: SearchRecord) -> dict[str, str]:
    """The canonical form of each answer, as the task gave it."""
    told = [decision for decision in search.decisions if isinstance(decision, Told)]
    answers = [candidate.answer for each in told for candidate in each.outcome.candidates]
    return {answer.text: answer.canonical for answer in answers if answer is not None}


def _right(node: Mapping[str, Any], forms: Mapping[str, str], key: str | None) -> bool | None:
    answer = node.get("answer")
    return forms.get(answer, canonical(answer)) == key if answer is not None and key is not None else None


def _node(name: str, node: Mapping[str, Any], known: NodeStatistics | None, correct: bool | None) -> Node:
    facts = {key: node[key] for key in SHOWN if key in node}
    if (said := facts.get("rationale")) and len(said) > LONGEST_RATIONALE:
        facts["rationale"] = f"{said[:LONGEST_RATIONALE]}… ({len(said) - LONGEST_RATIONALE:,} more characters)"
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
