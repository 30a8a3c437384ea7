"""First error: how well step scores find the first wrong step, and where a solution's weakest step stands.

1. The predicted first error is the first step whose score is below the threshold; none where no score is.
2. Accuracy is counted apart on solutions with an error (the step must be exactly that one) and without (none may be
   predicted); F1 is the harmonic mean of the two.
3. The threshold is given, or that of the greatest F1 on solutions set apart.

ProcessBench, Zheng et al. 2024, arXiv 2412.06559. The share of solutions whose weakest step is the last tells a
process model that has drifted towards judging outcomes: Zhang et al. 2025, "The Lessons of Developing Process Reward
Models in Mathematical Reasoning", arXiv 2501.07301. Steps count from 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from branchwise.orchestrator.evaluation.statistics import Interval


@dataclass(frozen=True, slots=True)
class Located:
    """A solution's step scores, and its first wrong step as people marked it; None where every step is right."""

    scores: tuple[float, ...]
    first_error: int | None


@dataclass(frozen=True, slots=True)
class Detection:
    """Accuracy on solutions with an error and without one, of so many; None where there are none of the sort."""

    on_erroneous: float | None
    on_correct: float | None
    erroneous: int
    correct: int

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both accuracies; None where one of them is."""
        if self.on_erroneous is None or self.on_correct is None:
            return None
        return harmonic_mean(self.on_erroneous, self.on_correct)


def harmonic_mean(a: float, b: float) -> float:
    """Of two shares; 0 where both are."""
    return 2 * a * b / (a + b) if a + b else 0.0


def predicted_first_error(scores: Sequence[float], threshold: float) -> int | None:
    """The first step whose score is below the threshold; ValueError for one that is no number."""
    if any(map(math.isnan, scores)):
        raise ValueError("a score is not a number")
    return next((step for step, score in enumerate(scores) if score < threshold), None)


def detection(solutions: Sequence[Located], threshold: float) -> Detection:
    """How often the first error is found at this threshold."""
    hits = {True: list[bool](), False: list[bool]()}
    for each in solutions:
        hit = predicted_first_error(each.scores, threshold) == each.first_error
        hits[each.first_error is not None].append(hit)
    return Detection(_share(hits[True]), _share(hits[False]), len(hits[True]), len(hits[False]))


def best_threshold(solutions: Sequence[Located], tried: Sequence[float]) -> float:
    """Of those ``tried`` the threshold of the greatest F1, the smallest of several.

    ValueError where one sort of solution is missing. It is best on these very solutions: measure it on others.
    """
    if {each.first_error is not None for each in solutions} != {True, False}:
        raise ValueError("a threshold is chosen on solutions with an error and solutions without one")
    return max(tried, key=lambda threshold: (detection(solutions, threshold).f1 or 0.0, -threshold))


def f1_interval(found: Detection, random: Random, resamples: int = 2_000) -> Interval | None:
    """Percentile bootstrap of F1, solutions with and without an error resampled apart; None where there is no F1."""
    if found.on_erroneous is None or found.on_correct is None:
        return None
    drawn = sorted(
        harmonic_mean(
            _resampled(found.on_erroneous, found.erroneous, random),
            _resampled(found.on_correct, found.correct, random),
        )
        for _ in range(resamples)
    )
    return Interval(drawn[int(0.025 * resamples)], drawn[int(0.975 * resamples)])


def weakest_is_last(scores: Sequence[float]) -> bool:
    """Whether the last step's score is below all others': process-to-outcome drift. False for a single step."""
    return len(scores) > 1 and scores[-1] < min(scores[:-1])


def weakest_last_share(solutions: Sequence[Sequence[float]]) -> float | None:
    """The share of solutions of several steps whose weakest one is the last; None where there is no such solution."""
    return _share([weakest_is_last(scores) for scores in solutions if len(scores) > 1])


def _resampled(share: float, count: int, random: Random) -> float:
    return sum(random.random() < share for _ in range(count)) / count


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
