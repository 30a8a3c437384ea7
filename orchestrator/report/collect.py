"""Collect: from journals alone to a Report. No model is loaded, no task is needed, nothing is computed again.

1. Each run directory becomes a strategy: counts, interval, tokens drawn (of the results) and paid (of the
   draws), and a row a problem.
2. Runs of one family, which differ in the number of samples, become a curve.
3. Runs are compared in pairs on the problems that both finished: those named, else every one with the first.
4. Some problems of each run, right ones, wrong ones and some under way, get their search tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.evaluation.suite import Pair
from branchwise.orchestrator.journal.reader import Recorded, recorded
from branchwise.orchestrator.report.comparing import ReadRun, compared
from branchwise.orchestrator.report.curves import curves_of
from branchwise.orchestrator.report.data import FailureShown, ProblemShown, Report, Row, Strategy
from branchwise.orchestrator.report.strategy import outcome_of, strategy_of
from branchwise.orchestrator.report.tree import Tree
from branchwise.orchestrator.report.trees import shown_tree
from branchwise.orchestrator.workflow.tree import inspectable, selected_by

MAX_FAILURES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Label:
    """What a suite calls one of its runs."""

    name: str
    family: str
    samples: int | None
    baseline: bool

    def on(self, strategy: Strategy) -> Strategy:
        """The strategy under this label."""
        labels = {"family": self.family, "samples": self.samples, "baseline": self.baseline}
        return strategy.model_copy(update=labels)


def collect(
    directories: Sequence[Path],
    created: str,
    trees: int = 12,
    labels: Sequence[Label] = (),
    pairs: Sequence[Pair] = (),
) -> Report:
    """The report of these runs, with up to ``trees`` trees each. ConfigError where one is no run directory.

    ``labels``, one a run, and the ``pairs`` to compare come from a suite, where there is one.
    """
    with ExitStack() as stack:
        journals = [stack.enter_context(recorded(directory)) for directory in directories]
        names = [label.name for label in labels] or _unique([_name(journal) for journal in journals], directories)
        runs = [_read(name, journal) for name, journal in zip(names, journals, strict=True)]
        strategies = tuple(strategy_of(run.name, run.journal, len(run.problems), run.results) for run in runs)
        if labels:
            strategies = tuple(label.on(one) for label, one in zip(labels, strategies, strict=True))
        by_name = {run.name: run for run in runs}
        named = pairs or [Pair(runs[0].name, (other.name,)) for other in runs[1:]]
        tasks = list(filter(None, dict.fromkeys(journal.manifest.task for journal in journals)))
        return Report(
            title=f"{names[0]}: {tasks[0]}" if len(runs) == 1 and tasks else ", ".join(names),
            created=created,
            task=", ".join(tasks),
            branchwise_version=", ".join(sorted({journal.manifest.version for journal in journals})),
            strategies=strategies,
            curves=curves_of(strategies) if len(runs) > 1 else (),
            comparisons=tuple(
                compared(by_name[pair.first], [by_name[name] for name in pair.seconds]) for pair in named
            ),
            problems=tuple(_problems(runs)),
            rows=tuple(_row(run.name, result) for run in runs for result in run.results),
            trees=tuple(tree for run in runs for tree in _trees(run, trees)),
        )


def _name(journal: Recorded) -> str:
    manifest = journal.manifest
    return manifest.name or Path(manifest.source).stem or journal.directory.name


def _unique(names: list[str], directories: Sequence[Path]) -> list[str]:
    """Names of runs that are used twice get their directory's name added, then a number."""
    counts, seen, unique = Counter(names), Counter[str](), []
    for name, directory in zip(names, directories, strict=True):
        longer = name if counts[name] == 1 else f"{name} ({directory.resolve().name})"
        seen[longer] += 1
        unique.append(longer if seen[longer] == 1 else f"{longer} #{seen[longer]}")
    return unique


def _read(name: str, journal: Recorded) -> ReadRun:
    results = journal.results()
    problems = {problem.id: problem for problem in journal.problems()}
    for result in results:
        problems.setdefault(result.problem_id, Problem(result.problem_id, ()))
    return ReadRun(name, journal, problems, results)


def _problems(runs: Sequence[ReadRun]) -> Iterator[ProblemShown]:
    expected = {r.problem_id: r.grade.expected for run in runs for r in run.results if r.grade}
    texts = {problem.id: problem.text for run in reversed(runs) for problem in run.problems.values()}
    for problem_id, text in texts.items():
        yield ProblemShown(id=problem_id, question=text, expected=expected.get(problem_id))


def _row(strategy: str, result: Result) -> Row:
    tokens: Counter[str] = Counter()
    for role, used in result.drawn + result.cancelled:
        tokens[role] += used.completion_tokens
    failures = result.failures[:MAX_FAILURES_SHOWN]
    return Row(
        strategy=strategy,
        problem=result.problem_id,
        answer=result.answer,
        correct=outcome_of(result),
        stop=result.stop.value,
        tokens=dict(tokens),
        failures=tuple(FailureShown(boundary=one.boundary, message=one.message) for one in failures),
    )


def _trees(run: ReadRun, count: int) -> Iterator[Tree]:
    results = {result.problem_id: result for result in run.results}
    open_ones = [problem_id for problem_id in run.problems if problem_id not in results]
    open_ones = open_ones[: max(count // 4, count - len(results))]
    finished = [result.problem_id for result in _chosen(run.results, count - len(open_ones))]
    for problem_id in finished + open_ones:
        result = results.get(problem_id)
        expected = result.grade.expected if result is not None and result.grade else None
        for search in inspectable(run.journal, run.journal.searches(run.problems[problem_id])):
            yield shown_tree(run.name, search, selected_by(result), expected)


def _chosen(results: Sequence[Result], count: int) -> list[Result]:
    """Half of them right, half not, as far as there are enough; first finished first."""
    right = [result for result in results if outcome_of(result)]
    others = [result for result in results if not outcome_of(result)]
    kept = others[: max(count - count // 2, count - len(right))]
    return kept + right[: count - len(kept)]
