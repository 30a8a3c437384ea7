"""Selection rules of tree search: how good a child looks, by its value, its visits and what the policy thinks of it.

=============  ============================================  ==========  ============================================
rule           score of a child                              default c   from
=============  ============================================  ==========  ============================================
``uct``        value + c sqrt(ln N) / sqrt(n)                1           Kocsis & Szepesvári 2006; step-level Q-values
``lats``       the same                                      sqrt 2      LATS, arXiv 2310.04406
``puct``       value + c prior sqrt(N) / (1 + n)             1.25        AlphaZero, arXiv 1712.01815
``puct_best``  best + c prior sqrt(ln N) / (1 + n)           4.5 sqrt 2  ARMAP, arXiv 2502.12130
=============  ============================================  ==========  ============================================

N are the visits of the parent, at least 1, and n those of the child. ``value`` is the mean of the returns that were
seen through a child, ``best`` the greatest of them. An unvisited child comes first with ``uct``, counts with its
judgement alone with ``lats``, and with the value 0 with the other two. A child that was visited and got no value, for
its judgement failed, ranks behind all that have one, and so does an unvisited one without a judgement with ``lats``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log, sqrt

from branchwise.orchestrator.search.tree import ROOT, Node

Score = Callable[[float, float, float], float]
"""(value, visits, scale) -> how good a child looks."""


def bound(value: float, visits: float, scale: float) -> float:
    """Upper confidence bound; an unvisited child comes first."""
    return value + scale / sqrt(visits) if visits else inf


def bound_or_value(value: float, visits: float, scale: float) -> float:
    """Upper confidence bound; an unvisited child has its value alone."""
    return value + scale / sqrt(visits) if visits else value


def bonus(value: float, visits: float, scale: float) -> float:
    """A bonus that each visit makes smaller."""
    return value + scale / (1 + visits)


def root_of_log(visits: float) -> float:
    """sqrt(ln N)"""
    return sqrt(log(visits))


@dataclass(frozen=True, slots=True)
class Rule:
    """How children are compared: ``score`` of value, visits, and a scale, which is c times ``scale`` of N.

    ``c`` is the usual constant. ``by_prior``: the scale is multiplied by the child's prior. ``by_best``: the value is
    the greatest return, not the mean. ``by_judgement``: an unvisited child has the value of its judgement, not 0.
    """

    score: Score
    scale: Callable[[float], float]
    c: float
    by_prior: bool = False
    by_best: bool = False
    by_judgement: bool = False


RULES = {
    "uct": Rule(bound, root_of_log, 1.0),
    "lats": Rule(bound_or_value, root_of_log, sqrt(2), by_judgement=True),
    "puct": Rule(bonus, sqrt, 1.25, by_prior=True),
    "puct_best": Rule(bonus, root_of_log, 4.5 * sqrt(2), by_prior=True, by_best=True),
}


@dataclass(frozen=True, slots=True)
class Selector:
    """Goes down a tree by a rule. A simulation under way counts as ``loss`` visits of the value ``loss_value``.

    Where that is None, they count as visits alone and leave the value as it is.
    """

    rule: Rule
    c: float
    loss: float = 0.0
    loss_value: float | None = 0.0

    def descend(self, nodes: Sequence[Node], again: bool = False) -> list[int]:
        """The way from the root to an open node; with ``again`` it may also end at a finished or a waiting one.

        At each node it takes the child that scores best, the first of equals: among those with a way on, with
        ``again`` also among those that have a value.
        """
        rule, c, loss, loss_value = self.rule, self.c, self.loss, self.loss_value
        score, scale_of, by_prior, by_best = rule.score, rule.scale, rule.by_prior, rule.by_best
        by_judgement = rule.by_judgement
        path, node = [ROOT], nodes[ROOT]
        while not node.open:  # a search spends its time in here
            seen = node.visits + loss * node.pending
            scale = bonus = c * scale_of(seen if seen > 1 else 1.0)
            draws = sum(node.children.values()) if by_prior else 1
            best, top = ROOT, -inf
            for index in node.children:
                child = nodes[index]
                returns = child.returns
                if child.ready or (again and returns):
                    found = -inf
                    if returns or not (child.visits or (by_judgement and child.judged is None)):
                        value = child.best if by_best else child.value
                        virtual = loss * child.pending
                        if loss_value is not None and returns + virtual:
                            value = (returns * value + virtual * loss_value) / (returns + virtual)
                        if by_prior:
                            bonus = scale * node.children[index] / draws
                        found = score(value, child.visits + virtual, bonus)
                    if found > top or best == ROOT:
                        best, top = index, found
            if best == ROOT:
                break
            path.append(best)
            node = nodes[best]
        return path
