"""Comparing: a run and another one, problem by problem; or a run and what lies between several sizes of another.

1. Problems that all of these runs finished are the ones compared.
2. Of several sizes the two are taken whose mean policy tokens on these problems enclose the run's, and each problem
   gets one of them by chance, addressed by seed and problem (evaluation/matching.py).
3. The outcomes are compared in pairs (evaluation/paired.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.evaluation.matching import Matched, Size, matched
from branchwise.orchestrator.evaluation.paired import compare
from branchwise.orchestrator.journal.reader import Recorded
from branchwise.orchestrator.report.data import Comparison
from branchwise.orchestrator.report.shown import Interval
from branchwise.orchestrator.report.strategy import outcome_of

POLICY = "policy"
Key = tuple[str, str]
"""A problem's id and text: an id alone may mean something else in another task."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a problem: right, wrong or not graded, and the policy's tokens that were drawn for it."""

    outcome: bool | None
    tokens: int


@dataclass(frozen=True, slots=True)
class ReadRun:
    """One run, read: its strategy's name, the open journal, its problems and results."""

    name: str
    journal: Recorded
    problems: dict[str, Problem]
    results: list[Result]

    def attempts(self) -> dict[Key, Attempt]:
        """What became of each problem that is finished."""
        return {
            (result.problem_id, self.problems[result.problem_id].text): Attempt(outcome_of(result), _tokens(result))
            for result in self.results
        }


def compared(first: ReadRun, seconds: Sequence[ReadRun]) -> Comparison:
    """The first run's difference from the second, or from a mixture of two of them at its tokens."""
    ours, theirs = first.attempts(), {run.name: run.attempts() for run in seconds}
    keys = [key for key in ours if all(key in attempts for attempts in theirs.values())]
    mixture = _mixture(ours, theirs, keys)
    others = [theirs[_drawn_by(mixture, first.journal.manifest.seed, key)][key] for key in keys]
    pairs = compare([ours[key].outcome for key in keys], [other.outcome for other in others])
    tokens = sum(other.tokens for other in others)
    return Comparison(
        first=first.name,
        second=mixture.smaller,
        other=mixture.greater if mixture.share else None,
        share=mixture.share,
        tokens=sum(ours[key].tokens for key in keys) / tokens if tokens else None,
        both=pairs.both,
        only_first=pairs.only_first,
        only_second=pairs.only_second,
        neither=pairs.neither,
        dropped=pairs.dropped,
        difference=pairs.difference,
        interval=Interval(low=pairs.interval.low, high=pairs.interval.high) if pairs.interval else None,
        p_value=pairs.p_value,
    )


def _mixture(
    ours: Mapping[Key, Attempt], theirs: Mapping[str, Mapping[Key, Attempt]], keys: Sequence[Key]
) -> Matched:
    if len(theirs) == 1 or not keys:
        return Matched(next(iter(theirs)), next(iter(theirs)), 0.0)
    sizes = [Size(name, fmean(each[key].tokens for key in keys)) for name, each in theirs.items()]
    return matched(sizes, fmean(ours[key].tokens for key in keys))


def _drawn_by(mixture: Matched, seed: int, key: Key) -> str:
    takes_greater = chance(seed, "matched", ascii(key)).random() < mixture.share
    return mixture.greater if takes_greater else mixture.smaller


def _tokens(result: Result) -> int:
    return sum(used.completion_tokens for role, used in result.drawn + result.cancelled if role == POLICY)
