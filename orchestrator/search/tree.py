"""The tree of a tree search: nodes with their statistics, referred to by number, and the arithmetic on them.

Where transpositions are merged it is a graph without cycles: a node may have several parents, and its statistics are
those of all ways that lead to it. A simulation updates the nodes on its own way only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory

ROOT = 0


@dataclass(slots=True)
class Node:
    """A state that was reached. ``children`` counts the draws that led to each: over all of them, its prior.

    ``judged`` is what the reward model thinks of it, ``key`` the world's name for it. ``visits`` are the simulations
    that came through here, and ``returns`` counts those of them that brought a value: ``value`` is their mean,
    ``best`` the greatest. Before any visit they are what the selection rule takes for granted; a node that was
    visited without a return has no value.
    ``pending`` counts the simulations under way through here, ``growing`` the expansions under way from here.

    ``drawn`` numbers all draws from here, ``sampled`` counts those for children, ``expanded`` is the iteration that
    first asked for some. ``open`` says that more may be asked for now, ``aside`` that it is closed until it has a
    value or no other way on is left. ``ready`` counts the ways on: one if it is open, and one for each child that has
    a way on.
    """

    trajectory: Trajectory
    judged: float | None = None
    key: str | None = None
    parents: tuple[int, ...] = ()
    children: dict[int, int] = field(default_factory=dict)
    visits: int = 0
    returns: int = 0
    value: float = 0.0
    best: float = 0.0
    pending: int = 0
    growing: int = 0
    drawn: int = 0
    sampled: int = 0
    expanded: int | None = None
    open: bool = False
    aside: bool = False
    ready: int = 0


@dataclass(slots=True)
class Tree:
    """Nodes, numbered as they were told, and by key the first that had it. Node 0 is the root."""

    nodes: list[Node]
    keys: dict[str, int] = field(default_factory=dict)

    @property
    def root(self) -> Node:
        """The first node."""
        return self.nodes[ROOT]

    def enter(self, parent: int, candidate: Candidate, merge: bool = False) -> tuple[int, bool]:
        """Put a child into the tree: its number, and whether it is a new child of this parent.

        Another draw of the same step is the same child; with ``merge``, so is another way to a state of this key.
        """
        index = self._known(parent, candidate, merge)
        if index is None:
            index = self._add(candidate)
        counts, node = self.nodes[parent].children, self.nodes[index]
        if node.judged is None:
            node.judged = worth(candidate)
        is_new = index not in counts
        counts[index] = counts.get(index, 0) + 1
        if is_new:
            node.parents += (parent,)
            if node.ready:
                self._shift(parent, 1)
        return index, is_new

    def set_open(self, index: int, is_open: bool) -> None:
        """Say whether a node may be expanded now."""
        node = self.nodes[index]
        if node.open != is_open:
            node.open = is_open
            self._shift(index, 1 if is_open else -1)

    def back_up(self, way: Sequence[int], value: float | None, discount: float = 1.0) -> None:
        """Count a visit on the way to a leaf and, where it has a value, running means of the discounted returns."""
        nodes = self.nodes
        for index in reversed(way):
            node = nodes[index]
            node.visits += 1
            if value is not None:
                returns = node.returns = node.returns + 1
                node.value += (value - node.value) / returns
                if value > node.best or returns == 1:
                    node.best = value
                value *= discount

    def is_above(self, upper: int, lower: int) -> bool:
        """True where a way leads from ``upper`` down to ``lower``, or both are the same."""
        seen, to_see = {lower}, [lower]
        while to_see:
            parents = set(self.nodes[to_see.pop()].parents) - seen
            seen |= parents
            to_see += parents
        return upper in seen

    def _known(self, parent: int, candidate: Candidate, merge: bool) -> int | None:
        trajectory, key = candidate.trajectory, candidate.key
        index = self.keys.get(key) if merge and key is not None else None
        if index is not None and self._may_merge(index, parent, trajectory):
            return index
        before = len(self.nodes[parent].trajectory.steps)
        for index in self.nodes[parent].children:
            node = self.nodes[index]
            if node.key == key and node.parents[0] == parent and same_step(node.trajectory, trajectory, before):
                return index
        return None

    def _may_merge(self, index: int, parent: int, trajectory: Trajectory) -> bool:
        """True where two ways lead to one state, and making them one leaves no way in a circle."""
        return self.nodes[index].trajectory.stop == trajectory.stop and not self.is_above(index, parent)

    def _add(self, candidate: Candidate) -> int:
        index = len(self.nodes)
        going_on = candidate.alive
        self.nodes.append(Node(candidate.trajectory, None, candidate.key, open=going_on, ready=int(going_on)))
        if candidate.key is not None:
            self.keys.setdefault(candidate.key, index)
        return index

    def _shift(self, index: int, by: int) -> None:
        """A node gained or lost a way on; those above hear of it where it was the first or the last."""
        to_shift = [index]
        while to_shift:
            node = self.nodes[to_shift.pop()]
            had = node.ready > 0
            node.ready += by
            if (node.ready > 0) != had:
                to_shift += node.parents


def same_step(one: Trajectory, other: Trajectory, before: int) -> bool:
    """True where two trajectories go on in the same words, and to the same effect, after ``before`` common steps."""
    ours, theirs = one.steps[before:], other.steps[before:]
    return one.stop == other.stop and len(ours) == len(theirs) and all(map(_alike, ours, theirs))


def _alike(one: Step, other: Step) -> bool:
    said = (one.action or one.text).strip() == (other.action or other.text).strip()
    return said and one.observation == other.observation


def worth(candidate: Candidate) -> float | None:
    """What a candidate was judged to be worth; where nobody judges, what the world gave in the end."""
    if candidate.judgement is None and candidate.done:
        return candidate.reward
    return candidate.value


def cut_off(candidate: Candidate) -> Candidate:
    """The candidate, ended where it is if it could go on."""
    if not candidate.alive:
        return candidate
    t = candidate.trajectory
    return replace(candidate, trajectory=Trajectory(t.problem, t.steps, t.lineage, StopReason.MAX_DEPTH))
