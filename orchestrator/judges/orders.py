"""Orders: a pair is shown in both orders, since a judge may go by the place and not by the answer.

1. Ask with one order, and with ``swap`` with the other too.
2. The chance that the first is better is the mean of what p(first, second) and 1 - p(second, first) say. Where the
   two contradict each other: one half.
3. A verdict, the first, the second or a tie, counts only where both orders give it: else one half.

Position bias and the swap against it: Zheng et al., arXiv 2306.05685, section 3.4.
"""

from __future__ import annotations

from branchwise.orchestrator.core.roles import Pair


def orders(pair: Pair, swap: bool) -> list[Pair]:
    """The pair as it is asked about: once, or once each way round."""
    return [pair, Pair(pair.second, pair.first)] if swap else [pair]


def combine_orders(chance: float, swapped: float | None = None) -> float:
    """How likely the first is better by one order's word or both; one half where the orders contradict each other."""
    if swapped is None:
        return chance
    other = 1 - swapped
    return 0.5 if (chance - 0.5) * (other - 0.5) < 0 else (chance + other) / 2


def same_verdict(verdict: float, swapped: float | None = None) -> float:
    """One order's verdict, 1, 0 or one half, if the other order gives it too; else one half."""
    return verdict if swapped is None or verdict == 1 - swapped else 0.5
