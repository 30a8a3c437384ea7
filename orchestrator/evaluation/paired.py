"""Paired comparison of two strategies over the same problems: difference, its interval, McNemar's test.

* Difference of the accuracies: Tango's score interval. It inverts the same test as McNemar's, so it leaves
  out 0 exactly when that test (its asymptotic form, without correction) rejects at 5 %; unlike the
  bootstrap's or Wald's it doesn't shrink to a point when no pair disagrees. Tango 1998, Stat. Med.
  17:891-908; among those recommended by Fagerland, Lydersen and Laake 2014, Stat. Med. 33:2850-2875.
* p-value: the exact binomial test on the pairs that disagree. McNemar 1947, Psychometrika 12:153-157. With
  few such pairs the exact test is the more cautious: p may exceed 0.05 where the interval leaves out 0.

Intervals are for 95 % and for one comparison; nothing is adjusted for making many comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from branchwise.orchestrator.evaluation.statistics import Z95, Interval


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two strategies over the same problems; ``difference`` is the first's accuracy less the second's.

    ``dropped`` pairs were not graded for both. ``p_value`` is McNemar's exact two-sided one.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    dropped: int
    difference: float | None
    interval: Interval | None
    p_value: float

    @property
    def pairs(self) -> int:
        """Pairs that were compared."""
        return self.both + self.only_first + self.only_second + self.neither


def compare(first: Sequence[bool | None], second: Sequence[bool | None]) -> PairedComparison:
    """Compare two strategies, problem by problem. Raises ValueError for sequences of different length."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    both, only_first, only_second, neither = (
        pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))
    )
    n = len(pairs)
    return PairedComparison(
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=neither,
        dropped=len(first) - n,
        difference=(only_first - only_second) / n if n else None,
        interval=tango(only_first, only_second, n) if n else None,
        p_value=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value that the pairs which disagree lean to neither side (binomial, one half)."""
    n, least = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(least + 1))
    return min(1.0, 2 * tail / (1 << n))


def tango(only_first: int, only_second: int, pairs: int, z: float = Z95) -> Interval:
    """Score interval for the difference of two paired shares. Raises ValueError for impossible counts.

    1. For a supposed difference the nuisance share is estimated by maximum likelihood (a quadratic).
    2. The score of the supposed difference falls steadily from above +z to below -z over (-1, 1).
    3. Both crossings are found by halving.
    """
    if only_first < 0 or only_second < 0 or pairs < max(1, only_first + only_second):
        raise ValueError(f"{only_first} and {only_second} of {pairs} pairs is impossible")
    observed = (only_first - only_second) / pairs
    low = _crossing(only_first, only_second, pairs, z, -1.0, observed)
    return Interval(low, _crossing(only_first, only_second, pairs, -z, observed, 1.0))


def _crossing(b: int, c: int, n: int, level: float, low: float, high: float) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(b, c, n, middle) > level else (low, middle)
    return (low + high) / 2


def _score(b: int, c: int, n: int, difference: float) -> float:
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    nuisance = (math.sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n)
    variance = n * (2 * nuisance + difference * (1 - difference))
    excess = b - c - n * difference
    return excess / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, excess)
