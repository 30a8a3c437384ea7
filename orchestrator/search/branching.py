"""The tree of adaptive branching: what was seen at every node, and one way down by draws from the posteriors."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.inspection import NodeStatistics, Statistics
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.posteriors import Family, Observed, posterior, with_pending

ROOT = 0
ENOUGH: Final = 2
"""Children without a score, before a node or a policy that never got one is passed by."""
Strategy = Literal["multiarm_bandit_thompson", "multiarm_bandit_ucb", "stack"]
Key = tuple[str, int, int]
Pending = Counter[Key]


@dataclass(slots=True)
class Node:
    """A node that was scored, or the root. ``arm`` is the number of the policy that made it.

    Scores by policy: ``generated`` are those of children, ``continued`` those found deeper; ``seen`` are its own and
    all found below it. ``lost`` are children without a score. ``leads`` says that children can be grown; ``drawn``
    counts them.
    """

    trajectory: Trajectory
    generated: list[Observed]
    continued: list[Observed]
    lost: list[int]
    parent: int = ROOT
    arm: int = 0
    seen: Observed = field(default_factory=Observed)
    leads: bool = True
    children: list[int] = field(default_factory=list)
    drawn: int = 0


@dataclass(slots=True)
class Growth:
    """A child under way: below which node, by which policy."""

    node: int
    arm: int


@dataclass(slots=True)
class State:
    """Everything that changes. Nodes are numbered in the order told; ``scores`` and ``lost`` are by policy."""

    nodes: list[Node]
    scores: list[Observed]
    lost: list[int]
    tickets: int = 0
    told: int = 0
    out: dict[int, Growth] = field(default_factory=dict)
    finished: list[Candidate] = field(default_factory=list)


def ancestors(nodes: Sequence[Node], index: int) -> Iterator[Node]:
    """This node and those above it, below the root."""
    while index != ROOT:
        yield nodes[index]
        index = nodes[index].parent


def back_up(state: State, new: Node, score: float) -> None:
    """Count the score of a new node: for itself and its parent's children, then for all that it lies below."""
    nodes = state.nodes
    state.scores[new.arm] = state.scores[new.arm].seeing(score)
    new.seen = new.seen.seeing(score)
    generated = nodes[new.parent].generated
    generated[new.arm] = generated[new.arm].seeing(score)
    for child in ancestors(nodes, new.parent):
        child.seen = child.seen.seeing(score)
        continued = nodes[child.parent].continued
        continued[child.arm] = continued[child.arm].seeing(score)


def give_up(state: State, growth: Growth) -> None:
    """Count a child that was lost or not judged: at its parent, and for its policy."""
    state.lost[growth.arm] += 1
    state.nodes[growth.node].lost[growth.arm] += 1


def is_barren(scores: int, lost: int) -> bool:
    """True for what was tried ``ENOUGH`` times and never got a score."""
    return not scores and lost >= ENOUGH


def statistics(state: State, arms: Sequence[str]) -> Statistics:
    """Scores seen and their mean, of every node that was scored; of the root all scores in the tree."""
    root, *nodes = state.nodes
    known = {root.trajectory.lineage: _known(_sum(state.scores))}
    return known | {
        node.trajectory.lineage: _known(node.seen, ("policy", arms[node.arm]), ("children_drawn", node.drawn))
        for node in nodes
    }


def _known(seen: Observed, *extra: tuple[str, str | int]) -> NodeStatistics:
    return NodeStatistics(seen.count, seen.mean if seen.count else None, extra=extra)


def pending(state: State) -> Pending:
    """How many scores are still to come, by what they will count for: (what, node, policy)."""
    counts = Pending()
    for growth in state.out.values():
        counts["score", ROOT, growth.arm] += 1
        counts["generated", growth.node, growth.arm] += 1
        index = growth.node
        while index != ROOT:
            node = state.nodes[index]
            counts["seen", index, ROOT] += 1
            counts["continued", node.parent, node.arm] += 1
            index = node.parent
    return counts


@dataclass(slots=True)
class Choice:
    """One way down the tree. ``pending`` counts scores to come, where they are to be counted."""

    state: State
    family: Family
    strategy: Strategy
    rng: random.Random
    pending: Pending = field(default_factory=Pending)

    def growth(self) -> Growth:
        """Where to grow a child, and by which policy."""
        index = ROOT
        while True:
            arms = [self._arm_at(index)] if self.strategy == "stack" else list(range(len(self.state.scores)))
            leading = self._leading(index, arms)
            if not leading or self._wider(index, arms) >= self._deeper(index, arms):
                return Growth(index, arms[0] if self.strategy == "stack" else self._arm_anywhere())
            index = max(leading, key=self._below)

    def _leading(self, index: int, arms: Sequence[int]) -> list[int]:
        nodes = self.state.nodes
        return [
            child
            for child in nodes[index].children
            if (node := nodes[child]).leads and node.arm in arms and not is_barren(len(node.children), sum(node.lost))
        ]

    def _wider(self, index: int, arms: Sequence[int]) -> float:
        """A draw for GEN."""
        seen = self.state.nodes[index].generated
        return self._draw(_sum(seen[arm] for arm in arms), *(("generated", index, arm) for arm in arms))

    def _deeper(self, index: int, arms: Sequence[int]) -> float:
        """A draw for CONT."""
        seen = self.state.nodes[index].continued
        return self._draw(_sum(seen[arm] for arm in arms), *(("continued", index, arm) for arm in arms))

    def _below(self, index: int) -> float:
        """A draw for a node as a child."""
        return self._draw(self.state.nodes[index].seen, ("seen", index, ROOT))

    def _arm_at(self, index: int) -> int:
        """The policy of whose children at this node, and of what lies below them, the draw is greatest."""
        node = self.state.nodes[index]
        seen = [generated + continued for generated, continued in zip(node.generated, node.continued, strict=True)]
        return _greatest(
            [self._draw(each, ("generated", index, arm), ("continued", index, arm)) for arm, each in enumerate(seen)],
            seen,
            node.lost,
        )

    def _arm_anywhere(self) -> int:
        """The policy that promises most, by all its scores in the tree."""
        state = self.state
        if self.strategy == "multiarm_bandit_ucb":
            scores = [self._hoped(seen, ("score", ROOT, arm)) for arm, seen in enumerate(state.scores)]
            total = sum(seen.count for seen in scores) + sum(state.lost)
            promises = [upper_bound(seen, total, lost) for seen, lost in zip(scores, state.lost, strict=True)]
        else:
            promises = [self._draw(seen, ("score", ROOT, arm)) for arm, seen in enumerate(state.scores)]
        return _greatest(promises, state.scores, state.lost)

    def _draw(self, seen: Observed, *coming: Key) -> float:
        return posterior(self.family, self._hoped(seen, *coming)).draw(self.rng)

    def _hoped(self, seen: Observed, *coming: Key) -> Observed:
        return with_pending(self.family, seen, sum(self.pending[key] for key in coming))


def _sum(seen: Iterable[Observed]) -> Observed:
    return sum(seen, Observed())


def _greatest(promises: Sequence[float], scores: Sequence[Observed], lost: Sequence[int]) -> int:
    """The policy that promises most, the first of equals; of those that ever got a score, where others did not."""
    barren = [is_barren(seen.count, count) for seen, count in zip(scores, lost, strict=True)]
    return max(range(len(promises)), key=lambda arm: (not barren[arm], promises[arm]))


def upper_bound(seen: Observed, total: int, lost: int = 0) -> float:
    """mean + sqrt(2) sqrt(ln total / (count + lost)); infinite for what never got a score."""
    return seen.mean + math.sqrt(2) * math.sqrt(math.log(total) / (seen.count + lost)) if seen.count else math.inf
