"""Calibrating: curves fitted to values and outcomes, and how far chances are from what happened. Pure.

* Platt: both parameters by Newton's method on the cross entropy, against targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2)
  in the place of 1 and 0, which keep them finite. Lin, Lin and Weng 2007, Machine Learning 68:267-276.
* Temperature: the cross entropy's slope in 1 / T rises, so its root is found by halving.
* Isotonic: neighbours that fall are pooled until none do. Ayer et al. 1955, Ann. Math. Stat. 26:641-647.
* Area under the ROC curve: how often a right answer has a higher value than a wrong one, ties by half. Hanley and
  McNeil 1982, Radiology 143:29-36.
* Expected calibration error: over bins of equal width, the mean distance between the mean chance and the share that
  was right, by the bins' counts. Naeini et al. 2015, AAAI; ten bins as in Guo et al. 2017, arXiv 1706.04599.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, pstdev
from typing import Final, Literal

from branchwise.orchestrator.core.calibration import Isotonic, Platt, Temperature, logit
from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.selection import logistic

Method = Literal["platt", "isotonic", "temperature"]
BINS: Final = 10
ROUNDS: Final = 100
HALVINGS: Final = 80


@dataclass(frozen=True, slots=True)
class Graded:
    """The value that a reward gave an answer, whether it was right, and the problem."""

    value: float
    correct: bool
    problem_id: str = ""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers whose chance lies in [low, high): their mean chance, the share that was right, their count."""

    low: float
    high: float
    chance: float
    correct: float
    count: int


def fitted(method: Method, graded: Sequence[Graded], scale: Scale) -> Platt | Isotonic | Temperature:
    """The curve of this sort that fits best. ValueError where all answers are right, or none is."""
    if len({each.correct for each in graded}) < 2:
        raise ValueError("a curve is fitted to right answers and wrong ones")
    if method == "isotonic":
        return fit_isotonic([each.value for each in graded], [each.correct for each in graded])
    logits = [logit(each.value, scale) for each in graded]
    fit = fit_platt if method == "platt" else fit_temperature
    return fit(logits, [each.correct for each in graded])


def gain(curve: Platt | Isotonic | Temperature, graded: Sequence[Graded], scale: Scale) -> float:
    """How much more chance the highest of these values has than the lowest; negative where the curve falls."""
    values = [each.value for each in graded]
    return curve.chance(max(values), scale) - curve.chance(min(values), scale)


def area_under_roc(graded: Sequence[Graded]) -> float:
    """The area, in [0, 1]; 0.5 where values say nothing. ValueError where all answers are right, or none is."""
    wrong = sorted(each.value for each in graded if not each.correct)
    right = [each.value for each in graded if each.correct]
    if not wrong or not right:
        raise ValueError("right answers are told from wrong ones")
    below = math.fsum((bisect_left(wrong, value) + bisect_right(wrong, value)) / 2 for value in right)
    return below / (len(right) * len(wrong))


def fit_platt(logits: Sequence[float], correct: Sequence[bool]) -> Platt:
    """Slope and intercept of the least cross entropy, found on standardised logits: wherever these lie."""
    right, wrong = sum(correct), len(correct) - sum(correct)
    targets = [(right + 1) / (right + 2) if each else 1 / (wrong + 2) for each in correct]
    mean, std = fmean(logits), pstdev(logits) or 1.0
    slope, intercept = _least([(x - mean) / std for x in logits], targets)
    return Platt(slope=slope / std, intercept=intercept - slope * (mean / std))


def _least(logits: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    """Slope and intercept of the least cross entropy by Newton's method, steps halved until they gain something."""
    slope, intercept = 0.0, logit(fmean(targets), "probability")
    loss = _cross_entropy(slope, intercept, logits, targets)
    for _ in range(ROUNDS):
        step = _newton_step(slope, intercept, logits, targets)
        size = 1.0
        while size > 1e-10:
            tried = slope - size * step[0], intercept - size * step[1]
            new = _cross_entropy(*tried, logits, targets)
            if new < loss:
                break
            size /= 2
        else:
            break
        (slope, intercept), gained, loss = tried, loss - new, new
        if gained < 1e-12 * max(1.0, loss):
            break
    return slope, intercept


def _newton_step(a: float, b: float, logits: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    chances = [logistic(a * x + b) for x in logits]
    errors = [p - t for p, t in zip(chances, targets, strict=True)]
    weights = [p * (1 - p) for p in chances]
    ridge = 1e-9  # equal values say nothing of the slope: it stays
    xx = math.fsum(w * x * x for w, x in zip(weights, logits, strict=True)) + ridge
    x1 = math.fsum(w * x for w, x in zip(weights, logits, strict=True))
    ones = math.fsum(weights) + ridge
    ga, gb = math.fsum(e * x for e, x in zip(errors, logits, strict=True)), math.fsum(errors)
    determinant = xx * ones - x1 * x1
    return (ones * ga - x1 * gb) / determinant, (xx * gb - x1 * ga) / determinant


def _cross_entropy(a: float, b: float, logits: Sequence[float], targets: Sequence[float]) -> float:
    scores = [a * x + b for x in logits]
    return math.fsum(
        max(z, 0.0) - z * t + math.log1p(math.exp(-abs(z))) for z, t in zip(scores, targets, strict=True)
    )


def fit_temperature(logits: Sequence[float], correct: Sequence[bool]) -> Temperature:
    """The temperature of the least cross entropy, from 0.001 to 1000."""
    low, high = math.log(1e-3), math.log(1e3)  # of 1 / T
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        sharpness = math.exp(middle)
        slope = math.fsum((logistic(sharpness * x) - y) * x for x, y in zip(logits, correct, strict=True))
        low, high = (middle, high) if slope < 0 else (low, middle)
    return Temperature(temperature=math.exp(-(low + high) / 2))


def fit_isotonic(values: Sequence[float], correct: Sequence[bool]) -> Isotonic:
    """The curve that never falls and is nearest to the outcomes: the ends of each pool of values, and its share."""
    pools: list[tuple[float, float, int, int]] = []  # first and last value, how many are right, how many there are
    for value, same in groupby(sorted(zip(values, correct, strict=True)), key=lambda pair: pair[0]):
        outcomes = [outcome for _, outcome in same]
        pools.append((value, value, sum(outcomes), len(outcomes)))
        while len(pools) > 1 and pools[-2][2] * pools[-1][3] >= pools[-1][2] * pools[-2][3]:
            (first, _, a, n), (_, last, b, m) = pools[-2:]
            pools[-2:] = [(first, last, a + b, n + m)]
    ends = [(end, right / count) for first, last, right, count in pools for end in sorted({first, last})]
    return Isotonic(values=tuple(end for end, _ in ends), chances=tuple(share for _, share in ends))


def reliability(chances: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """The bins that hold any answers, from 0 to 1; a chance of 1 is in the last. ValueError for one beyond [0, 1]."""
    if not all(0 <= chance <= 1 for chance in chances):
        raise ValueError("chances lie between 0 and 1")
    pairs = sorted(zip(chances, correct, strict=True), key=lambda pair: pair[0])
    found = list[Bin]()
    for k, members in groupby(pairs, key=lambda pair: min(bins - 1, int(pair[0] * bins))):
        inside = list(members)
        mean, share = fmean(chance for chance, _ in inside), fmean(outcome for _, outcome in inside)
        found.append(Bin(k / bins, (k + 1) / bins, mean, share, len(inside)))
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float | None:
    """The expected calibration error of these bins; None where they hold nothing."""
    total = sum(each.count for each in bins)
    return math.fsum(each.count * abs(each.chance - each.correct) for each in bins) / total if total else None
