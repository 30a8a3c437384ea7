"""Matching: a baseline at the tokens of another strategy, by chance of two of its sizes on each problem.

Algorithms have coarse sizes, so that two of them hardly ever draw equally many tokens. A baseline that ran at several
sizes can be had at any mean in between: a problem gets the greater of the two nearest sizes with the probability that
makes the mean tokens equal. That is a strategy, too, and its outcomes are right or wrong as any other's. Where the
tokens wanted lie outside its sizes, the nearest one stands, and the tokens tell.

Time sharing, as along the edges of a ROC curve's convex hull: Provost and Fawcett 2001, "Robust Classification for
Imprecise Environments", Machine Learning 42:203-231, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Size:
    """A baseline at one size, and the mean tokens that it draws on a problem."""

    name: str
    tokens: float


@dataclass(frozen=True, slots=True)
class Matched:
    """Of the problems ``share`` get the greater size, the others the smaller one."""

    smaller: str
    greater: str
    share: float


def matched(sizes: Sequence[Size], tokens: float) -> Matched:
    """The mixture of two of these sizes that draws so many tokens. ValueError where there are no sizes."""
    if not sizes:
        raise ValueError("there is no size to choose from")
    ranked = sorted(sizes, key=lambda size: size.tokens)
    for low, high in pairwise(ranked):
        if low.tokens <= tokens < high.tokens:
            return Matched(low.name, high.name, (tokens - low.tokens) / (high.tokens - low.tokens))
    nearest = ranked[0] if tokens < ranked[0].tokens else ranked[-1]
    return Matched(nearest.name, nearest.name, 0.0)
