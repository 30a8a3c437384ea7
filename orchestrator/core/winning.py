"""Who wins: scores of candidates from their wins over each other. Pure.

``nash`` is the mixed strategy x that no candidate beats, sum_j P[i][j] x[j] <= 1/2 for every i: the optimum of a
small linear program, found exactly by the simplex method with Bland's rule over fractions (probabilities in
millionths). Where several strategies are unbeaten, it is one that the simplex method ends at.

``bradley_terry`` fits strengths s with P(i beats j) = 1 / (1 + exp(s_j - s_i)) by Hunter's MM algorithm (Annals of
Statistics 32, 2004); a thousandth of a draw added to each comparison keeps those finite who win or lose always.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import fmean
from typing import Final

MILLION: Final = 10**6
PRIOR: Final = 0.001
MOST_ROUNDS: Final = 2000
TOLERANCE: Final = 1e-10


@dataclass(slots=True)
class Wins:
    """How likely each of ``count`` candidates beats each other one, as far as they were compared."""

    count: int
    probability: dict[tuple[int, int], float] = field(default_factory=dict)

    def add(self, first: int, second: int, probability: float) -> None:
        """Note how likely the first beats the second."""
        self.probability[first, second] = probability
        self.probability[second, first] = 1 - probability

    def over(self, one: int, other: int) -> float:
        """How likely one beats another; one half where they were not compared."""
        return self.probability.get((one, other), 0.5)

    def others(self, one: int) -> list[int]:
        """Everybody else."""
        return [other for other in range(self.count) if other != one]


def copeland(wins: Wins) -> list[float]:
    """The share of the others that each one beats, a tie being half of one."""
    return [_mean(0.5 + _sign(wins.over(one, other)) / 2 for other in wins.others(one)) for one in range(wins.count)]


def borda(wins: Wins) -> list[float]:
    """The mean probability of each one to beat another."""
    return [_mean(wins.over(one, other) for other in wins.others(one)) for one in range(wins.count)]


def against(wins: Wins, references: Sequence[int]) -> list[float]:
    """The mean of +1 for winning and -1 for losing against the references other than oneself."""
    scores = [[_sign(wins.over(one, each)) for each in references if each != one] for one in range(wins.count)]
    return [fmean(score) if score else 0.0 for score in scores]


def bradley_terry(wins: Wins) -> list[float]:
    """Each one's strength, in log-odds; their mean is 0."""
    pairs = [[other for other in wins.others(one) if (one, other) in wins.probability] for one in range(wins.count)]
    won = [math.fsum(wins.over(one, other) + PRIOR / 2 for other in pairs[one]) for one in range(wins.count)]
    strengths = [0.0] * wins.count
    for _ in range(MOST_ROUNDS):
        before, power = strengths, [math.exp(s) for s in strengths]
        strengths = [
            math.log(won[one] / (1 + PRIOR)) - math.log(math.fsum(1 / (power[one] + power[each]) for each in others))
            if others
            else 0.0
            for one, others in enumerate(pairs)
        ]
        mean = _mean(strengths)
        strengths = [s - mean for s in strengths]
        if all(abs(new - old) < TOLERANCE for new, old in zip(strengths, before, strict=True)):
            break
    return strengths


def nash(wins: Wins) -> list[float]:
    """The shares of the candidates in the mixed strategy that none of them beats."""
    half, count = Fraction(1, 2), wins.count
    game = [[half] * count for _ in range(count)]
    for one in range(count):
        for other in range(one + 1, count):
            game[one][other] = Fraction(round(wins.over(one, other) * MILLION), MILLION)
            game[other][one] = 1 - game[one][other]
    best = maximised(game)
    total = sum(best, Fraction(0))
    return [float(share / total) for share in best]


def maximised(matrix: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """The z >= 0 with ``matrix`` z <= 1 and the greatest sum, for a matrix that bounds it."""
    count = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(count)), Fraction(1)] for i, row in enumerate(matrix)]
    goal = [Fraction(-1)] * count + [Fraction(0)] * (count + 1)
    basis = list(range(count, 2 * count))
    while (entering := next((j for j, cost in enumerate(goal[:-1]) if cost < 0), None)) is not None:
        limits = [(row[-1] / row[entering], basis[i], i) for i, row in enumerate(rows) if row[entering] > 0]
        _, _, leaving = min(limits)
        basis[leaving] = entering
        pivot = rows[leaving] = [x / rows[leaving][entering] for x in rows[leaving]]
        for row in (*rows[:leaving], *rows[leaving + 1 :], goal):
            if factor := row[entering]:
                row[:] = [x - factor * y for x, y in zip(row, pivot, strict=True)]
    return [rows[basis.index(j)][-1] if j in basis else Fraction(0) for j in range(count)]


def _sign(probability: float) -> int:
    return (probability > 0.5) - (probability < 0.5)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fmean(known) if known else 0.0
