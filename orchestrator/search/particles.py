"""Particles: partial solutions that move through a tree of draws together, step by step, with resampling in between.

1. ``move``: every particle that is named wants one child of its node; copies of a particle share one expansion.
2. ``ask`` and ``tell``: the children come in any order; each particle moves to its own.
3. When all have moved, whoever uses this weighs the particles and may ``resample``: copies stand on the same node.

A resampling needs the weights of all, so a step is a barrier; a particle whose answer is finished does not move, and
waits for nobody. A particle whose draw was lost is dead: its weight is zero.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.resampling import ZERO, Scheme, log_mean, resample

ROOT = 0


@dataclass(slots=True)
class Node:
    """A place in the tree: what came there (None: the root), where from, and how many children were asked for."""

    candidate: Candidate | None = None
    parent: int = ROOT
    children: int = 0


@dataclass(slots=True)
class Move:
    """Particles that want children of one node, by their places in the list."""

    node: int
    movers: list[int]
    to_end: bool


@dataclass(slots=True)
class Particles:
    """The tree, and the number of the node that each particle stands on.

    ``log_evidence`` is the log of the product of the mean weights at all resamplings: with the last weights, an
    unbiased estimate of the normalising constant.
    """

    at: list[int]
    nodes: list[Node] = field(default_factory=lambda: [Node()])
    tickets: int = 0
    waiting: list[Move] = field(default_factory=list)
    out: dict[int, Move] = field(default_factory=dict)
    log_evidence: float = 0.0

    @property
    def moving(self) -> bool:
        """True until every particle that wanted to move has moved."""
        return bool(self.waiting or self.out)

    def candidate(self, place: int) -> Candidate | None:
        """What a particle is now; None at the root."""
        return self.nodes[self.at[place]].candidate

    def alive(self) -> list[int]:
        """The particles that can move on."""
        return [place for place in range(len(self.at)) if (c := self.candidate(place)) is None or c.alive]

    def usable(self) -> list[int]:
        """The particles that are not dead: they can move on, or their answers are finished."""
        return [place for place in range(len(self.at)) if (c := self.candidate(place)) is None or c.alive or c.done]

    def move(self, movers: Iterable[int], to_end: bool) -> None:
        """Want a child for each of these particles."""
        by_node: dict[int, list[int]] = {}
        for place in movers:
            by_node.setdefault(self.at[place], []).append(place)
        self.waiting += [Move(node, places, to_end) for node, places in by_node.items()]

    def ask(self, root: Trajectory, room: int) -> list[Expansion]:
        """The expansions that are wanted, at most ``room`` of them."""
        asked = []
        for move in self.waiting[:room]:
            node = self.nodes[move.node]
            parent = root if node.candidate is None else node.candidate.trajectory
            asked.append(Expansion(self.tickets, parent, len(move.movers), node.children, move.to_end))
            node.children += len(move.movers)
            self.out[self.tickets] = move
            self.tickets += 1
        del self.waiting[:room]
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Move the particles of a ticket to their children."""
        move = self.out.pop(outcome.ticket)
        for place, child in zip(move.movers, outcome.candidates, strict=True):
            self.at[place] = len(self.nodes)
            self.nodes.append(Node(child, move.node))

    def resample(self, scheme: Scheme, log_weights: list[float], count: int, rng: random.Random) -> list[int]:
        """Put the first ``count`` particles on the nodes of their ancestors, and return these."""
        self.log_evidence += log_mean(log_weights)
        ancestors = resample(scheme, log_weights, count, rng)
        self.at[:count] = [self.at[ancestor] for ancestor in ancestors]
        return ancestors

    def way(self, node: int) -> list[int]:
        """The nodes from below the root to this one."""
        way = []
        while node != ROOT:
            way.append(node)
            node = self.nodes[node].parent
        return way[::-1]

    def standing(self) -> list[Candidate]:
        """The finished answers that particles are, copies as often as there are."""
        return [c for place in range(len(self.at)) if (c := self.candidate(place)) is not None and c.done]

    def ever(self) -> list[Candidate]:
        """Every answer that was finished, in the order told."""
        return [node.candidate for node in self.nodes if node.candidate is not None and node.candidate.done]


def or_uniform(log_weights: list[float], usable: Iterable[int]) -> list[float]:
    """The same weights; where all are zero, equal ones for the particles that are not dead."""
    if any(one > ZERO for one in log_weights):
        return log_weights
    living = set(usable)
    return [0.0 if place in living else ZERO for place in range(len(log_weights))]


def score(candidate: Candidate | None) -> float | None:
    """The value of a candidate; None where there is none."""
    return None if candidate is None else candidate.value


def log_odds(value: float, scale: str) -> float:
    """ln p - ln (1 - p), clipped at machine precision; a logit, or a raw score, is taken as such."""
    if scale != "probability":
        return value
    tiny = math.ulp(1.0)
    p = min(max(value, tiny), 1 - tiny)
    return math.log(p) - math.log1p(-p)
