"""What finished runs tell about allocation by difficulty: a row for each problem. Read from journals alone.

1. Find the runs of one part of `branchwise evaluate`, or of several with the same strategies on other seeds.
2. One of them draws the first pass: a best-of-N of enough answers. Runs that differ from it in more than the
   algorithm are left out.
3. Each problem that all the others graded is a row: how easy its first answers look, and each strategy's attempt.

Cost is tokens generated, by all roles. A best-of-N after the first pass draws the rest only; any other strategy has
the whole first pass before it. Its answers then vote, too, which is not counted here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from branchwise.orchestrator.commands.strategies import FirstPass, Strategy, beginner, runs_in, strategies_of
from branchwise.orchestrator.core.decisions import Asked, Told
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Candidate, Expansion
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.evaluation.fitting import Attempt, Row
from branchwise.orchestrator.journal.reader import Recorded, recorded
from branchwise.orchestrator.report.strategy import outcome_of
from branchwise.orchestrator.search.difficulty import ease


@dataclass(frozen=True, slots=True)
class Development:
    """Problems set apart to choose on: a row for each of those graded, who drew the first pass, who took part."""

    rows: list[Row]
    base: Strategy
    strategies: dict[str, Strategy]
    left_out: dict[str, str]
    problems: int
    tasks: list[str]
    seeds: list[int]


def measure(directories: Sequence[Path], first_pass: FirstPass, like: str | None = None) -> Development:
    """Read the runs of these directories. ConfigError where they are not finished or don't fit together."""
    with ExitStack() as stack:
        parts = [
            {path.name: stack.enter_context(recorded(path)) for path in runs_in(directory)}
            for directory in directories
        ]
        strategies, left_out = strategies_of(parts)
        base = beginner(strategies, first_pass, like)
        unlike = {name: different for name, one in strategies.items() if (different := one.differs(base))}
        left_out |= {name: f"not like {base.name} in {', '.join(keys)}" for name, keys in unlike.items()}
        strategies = {name: one for name, one in strategies.items() if name not in unlike}
        read = [_rows(part, base.name, strategies, first_pass) for part in parts]
        manifests = [part[base.name].manifest for part in parts]
        problems = sum(len(part[base.name].problems()) for part in parts)
    rows = [row for part in read for row in part]
    if not rows:
        raise ConfigError("there is no problem that every strategy graded")
    tasks = list(dict.fromkeys(manifest.task or "" for manifest in manifests))
    seeds = list(dict.fromkeys(manifest.seed for manifest in manifests))
    return Development(rows, base, strategies, left_out, problems, tasks, seeds)


def _rows(
    journals: Mapping[str, Recorded], base: str, strategies: Mapping[str, Strategy], first_pass: FirstPass
) -> list[Row]:
    results = {name: _finished(journals[name]) for name in strategies}
    rows = list[Row]()
    for problem in journals[base].problems():
        graded = {
            name: (found[problem.id], correct)
            for name, found in results.items()
            if problem.id in found and (correct := outcome_of(found[problem.id])) is not None
        }
        if len(graded) < len(strategies):
            continue
        (search,) = journals[base].searches(problem)
        told, cost = _first_answers(search, first_pass.answers)
        attempts = {
            name: _attempt(result, correct, cost, strategies[name].answers / first_pass.answers)
            for name, (result, correct) in graded.items()
        }
        rows.append(Row(ease(told, first_pass.by), attempts))
    return rows


def _finished(journal: Recorded) -> dict[str, Result]:
    results = journal.results()
    if len(results) < (journal.manifest.problem_count or len(journal.problems())):
        raise ConfigError(f"{journal.directory} is not finished: go on by giving `evaluate` the same --out")
    return {result.problem_id: result for result in results}


def _attempt(result: Result, correct: bool, first_pass: float, taken_over: float) -> Attempt:
    """A strategy's attempt, which draws so many times the first pass anyway."""
    alone = sum(used.completion_tokens for _, used in result.drawn + result.cancelled)
    return Attempt(correct, max(first_pass, alone + max(0.0, 1 - taken_over) * first_pass), alone)


def _first_answers(search: SearchRecord, count: int) -> tuple[list[Candidate], float]:
    """The first answers of a best-of-N, and the tokens that were generated for them."""
    asked, told, cost = dict[int, Expansion](), list[Candidate](), 0.0
    for decision in search.decisions:
        if isinstance(decision, Asked):
            asked |= {expansion.ticket: expansion for expansion in decision.expansions}
        elif isinstance(decision, Told):
            expansion = asked[decision.outcome.ticket]
            first = [each for each in decision.outcome.candidates if each.trajectory.lineage[0] < count]
            tokens = sum(used.completion_tokens for _, used in decision.outcome.usage)
            told, cost = told + first, cost + tokens * len(first) / expansion.count
    return told, cost
