"""Intervals and rates of one strategy: Wilson, bootstrap, pass@k, denominators. Pure functions of outcomes.

An outcome is True (right), False (wrong) or None (not graded: lost to a failure or a budget). A None is never
turned into a wrong answer silently: it stays in the denominators.

* Interval of an accuracy: Wilson's score interval, which holds its level for few problems and near 0 and 1.
  Wilson 1927, J. Am. Stat. Assoc. 22:209-212; recommended by Brown, Cai and DasGupta 2001, Stat. Sci.
  16:101-133.
* Means that are not 0/1 (pass@k, seconds): percentile bootstrap over problems. Efron 1979, Ann. Stat. 7:1-26.
* pass@k without bias from n draws: Chen et al. 2021, arXiv:2107.03374, section 2.1.

All intervals are for 95 %. Comparisons of two strategies are in ``paired``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a 95 % interval, ``low <= high``."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Denominators:
    """Where the problems went: graded (right or wrong), failed by boundary, or neither (no budget, say)."""

    attempted: int
    graded: int
    correct: int
    failed: tuple[tuple[str, int], ...] = ()

    @property
    def accuracy(self) -> float | None:
        """Share of the graded that is right; None where nothing was graded."""
        return self.correct / self.graded if self.graded else None

    @property
    def accuracy_of_attempted(self) -> float | None:
        """Share of the attempted that is right: what is not graded counts as wrong."""
        return self.correct / self.attempted if self.attempted else None

    @property
    def ungraded(self) -> int:
        """Attempted and not graded, whatever the cause."""
        return self.attempted - self.graded


def denominators(outcomes: Iterable[bool | None], failures: Mapping[str, int] | None = None) -> Denominators:
    """Count outcomes; ``failures`` says how many of the ungraded were lost at which boundary.

    Raises ValueError where more are said to have failed than were left ungraded.
    """
    kept = list(outcomes)
    graded = [outcome for outcome in kept if outcome is not None]
    failed = tuple(sorted((failures or {}).items()))
    if sum(count for _, count in failed) > len(kept) - len(graded):
        raise ValueError("more problems failed than were left ungraded")
    return Denominators(len(kept), len(graded), sum(graded), failed)


def wilson(correct: int, graded: int, z: float = Z95) -> Interval | None:
    """Wilson's interval for ``correct`` of ``graded``; None for 0 of 0. ValueError for impossible counts."""
    if not 0 <= correct <= graded:
        raise ValueError(f"{correct} of {graded} is no share")
    if graded == 0:
        return None
    share, shrink = correct / graded, 1 + z * z / graded
    middle = (share + z * z / (2 * graded)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / graded + z * z / (4 * graded * graded))
    low = 0.0 if correct == 0 else max(0.0, middle - half)
    return Interval(low, 1.0 if correct == graded else min(1.0, middle + half))


def bootstrap_mean(values: Sequence[float], random: Random, resamples: int = 10_000) -> Interval:
    """Percentile interval of the mean of ``values``, one a problem. Raises ValueError for none."""
    if not values:
        raise ValueError("there is nothing to resample")
    n = len(values)
    means = sorted(math.fsum(random.choices(values, k=n)) / n for _ in range(resamples))
    return Interval(means[int(0.025 * resamples)], means[min(resamples - 1, int(0.975 * resamples))])


def pass_at_k(n: int, c: int, k: int) -> float:
    """Chance that k of n draws, c of them right, hold a right one. ValueError unless c <= n, 0 < k <= n."""
    if not (0 <= c <= n and 0 < k <= n):
        raise ValueError(f"pass@{k} needs at least {k} draws and no more right than drawn, got {c} of {n}")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)
