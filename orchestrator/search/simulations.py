"""Simulations: what Monte Carlo tree search has under way, and how its tree is kept in step with that.

1. ``start``: a simulation begins; it is pending at every node on its way.
2. ``ask``: a ticket of it goes out. ``keep``: what came of one is sorted into lost, alive and finished.
3. ``end``: all that it waited for is there. Its visits are pending no longer, and each leaf is backed up: a visit,
   and its value. A leaf without one, for its judgement failed, is set aside until a value comes from below, or no
   other way on is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.search.tree import Tree, cut_off


@dataclass(slots=True)
class Simulation:
    """One iteration under way: the way to the node that it expands; the leaves that it evaluates, by rollouts too."""

    path: list[int]
    out: int = 1
    leaves: list[int] = field(default_factory=list)
    returns: dict[int, list[float]] = field(default_factory=dict)


@dataclass(slots=True)
class Ticket:
    """What a ticket is for: the expansion of a node, or rollouts from it."""

    simulation: int
    node: int
    rollout: bool = False


@dataclass(slots=True)
class State:
    """Everything that changes: the tree with its statistics, the simulations under way, what has finished."""

    tree: Tree
    iterations: int = 0
    tickets: int = 0
    under_way: dict[int, Simulation] = field(default_factory=dict)
    out: dict[int, Ticket] = field(default_factory=dict)
    wanted: list[Ticket] = field(default_factory=list)
    aside: list[int] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    answered: bool = False
    decided: bool = False
    finishing: bool = False

    def start(self, path: list[int]) -> Ticket:
        """A new simulation, which is pending on its way, and the ticket for its expansion."""
        nodes, number = self.tree.nodes, self.iterations
        self.under_way[number] = Simulation(path)
        for index in path:
            nodes[index].pending += 1
        return Ticket(number, path[-1])

    def ask(self, ticket: Ticket, count: int, to_end: bool, temperature: float | None = None) -> Expansion:
        """What goes out for a ticket: ``count`` further draws from its node."""
        node = self.tree.nodes[ticket.node]
        expansion = Expansion(self.tickets, node.trajectory, count, node.drawn, to_end, temperature)
        self.out[self.tickets] = ticket
        self.tickets += 1
        node.drawn += count
        return expansion

    def keep(self, outcome: Outcome, to_end: bool) -> list[Candidate]:
        """What was not lost. Whatever was to go to the end has ended; what has finished is a candidate."""
        told = map(cut_off, outcome.candidates) if to_end else outcome.candidates
        kept = [candidate for candidate in told if candidate.alive or candidate.done]
        for candidate in kept:
            if candidate.done:
                self.candidates.append(candidate)
                self.answered |= candidate.answer is not None
        return kept

    def end(self, simulation: Simulation, rollout_weight: float, discount: float) -> None:
        """Back up what a simulation found of each leaf."""
        tree, path = self.tree, simulation.path
        nodes = tree.nodes
        for index in path:
            nodes[index].pending -= 1
        for index in simulation.leaves:
            returns, way = simulation.returns.get(index), path
            if index != path[-1]:
                nodes[index].pending -= 1
                way = [*path, index]
            self.back_up(way, mixed(nodes[index].judged, returns, rollout_weight), discount)
            if not nodes[index].returns:
                self.set_aside(index)

    def back_up(self, way: list[int], value: float | None, discount: float) -> None:
        """Count a visit and its value on a way; a node that was set aside has a value now."""
        self.tree.back_up(way, value, discount)
        for index in [each for each in way if self.tree.nodes[each].aside and value is not None]:
            self._open_again(index)

    def set_aside(self, index: int) -> None:
        """Close a node that nothing good or bad is known of."""
        node = self.tree.nodes[index]
        if node.open:
            node.aside = True
            self.tree.set_open(index, False)
            self.aside.append(index)

    def take_up(self) -> None:
        """Open the first node that was set aside, where no other way on is left and none is to come."""
        tree = self.tree
        while self.aside and not (self.under_way or tree.root.ready):
            self._open_again(self.aside[0])

    def _open_again(self, index: int) -> None:
        self.aside.remove(index)
        self.tree.nodes[index].aside = False
        self.tree.set_open(index, True)


def mixed(judged: float | None, returns: list[float] | None, weight: float) -> float | None:
    """A leaf's value: ``weight`` of its rollouts' mean and the rest of its judgement; one where there is no other."""
    if not returns:
        return judged
    return fmean(returns) if judged is None else weight * fmean(returns) + (1 - weight) * judged
