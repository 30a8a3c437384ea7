"""Collect: from journals alone to a Report. No model is loaded, no task is needed, nothing is computed again.

1. Each run directory becomes a strategy: counts, interval, tokens drawn (of the results) and paid (of the
   draws), and a row a problem.
2. Runs of one family, which differ in the number of samples, become a curve.
3. Runs are compared in pairs on the problems that both finished: those named, else every one with the first.
4. Where a reward gives chances, they are held against what was right: a reliability diagram.
5. Some problems of each run, right ones, wrong ones and some under way, get their search tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.evaluation.suite import Pair
from branchwise.orchestrator.journal.reader import Recorded, recorded
from branchwise.orchestrator.report.comparing import ReadRun, compared
from branchwise.orchestrator.report.curves import curves_of
from branchwise.orchestrator.report.data import FailureShown, ProblemShown, Report, Row, Strategy
from branchwise.orchestrator.report.reliability import reliabilities_of
from branchwise.orchestrator.report.strategy import outcome_of, strategy_of
from branchwise.orchestrator.report.trees import trees_of

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
    wanted: Sequence[str] = (),
) -> Report:
    """The report of these runs, with up to ``trees`` trees each. ConfigError where one is no run directory.

    The problems ``wanted`` by their ids get their tree whatever ``trees`` says. ``labels``, one a run, and the
    ``pairs`` to compare come from a suite, where there is one.
    """
    with ExitStack() as stack:
        journals = [stack.enter_context(recorded(directory)) for directory in directories]
        names = [label.name for label in labels] or _unique([_name(journal) for journal in journals], directories)
        runs = [_read(name, journal) for name, journal in zip(names, journals, strict=True)]
        if unknown := set(wanted).difference(*(run.problems for run in runs)):
            raise ConfigError(f"no problem {', '.join(map(repr, sorted(unknown)))} was started in these runs")
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
            reliabilities=tuple(reliabilities_of(runs)),
            problems=tuple(_problems(runs)),
            rows=tuple(_row(run.name, result) for run in runs for result in run.results),
            trees=tuple(tree for run in runs for tree in trees_of(run, trees, wanted)),
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
