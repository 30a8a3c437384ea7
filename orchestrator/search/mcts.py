"""Monte Carlo tree search: spend each further expansion where values and visits so far promise most.

Each iteration is one simulation and buys one expansion:

1. Select: from the root go to the child that scores best (selection.py), down to a node that may be expanded.
2. Expand: draw children of it. Equal ones are merged; a child's share of the draws is its prior.
3. Evaluate by the reward model's judgement, by rollouts to the end of the answer, or by a mixture: each new child at
   once, for its judgement was paid for (``children``); or the node that is expanded, while its children wait to be
   selected (``leaf``, as in AlphaZero, LATS and ARMAP). A finished child is evaluated when it comes.
4. Back up: every node on the way counts a visit and the return, discounted a step.

Several leaves are under way at once. Until its simulation ends, each counts as pending visits on its way, so that the
next goes elsewhere. A node all of whose draws are out is passed by; where there is no other, the search waits. All
that is told enters the tree.

Finished answers are not selected again (so LATS has it): every iteration buys something new, exactly ``iterations``
of them, and a tree without a way on ends the search. The price: visits then tell where the search worked, not what it
prefers. With ``revisit`` it is as in textbooks: an iteration may lead back to a finished answer, at no cost.

A child lost to a failure is not in the tree; a node that lost all of them is tried again ``retries`` times, then it
is a dead end. Where a judgement failed and no rollout came to anything, no number stands in for the value: the leaf
backs up a visit alone, which is in no mean, and ranks last, as in every search here. It is set aside: closed until a
value comes from below it, or no other way on is left; then the first that was set aside is taken up.

Browne et al. 2012, "A Survey of Monte Carlo Tree Search Methods". Pending visits alone: WU-UCT, arXiv 1810.11755;
with a ``virtual_value``: the virtual loss of Chaslot et al. 2008. Shared statistics: Childs et al. 2008.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.recommending import By, best_finished, is_decided, principal_way, recommended
from branchwise.orchestrator.search.selection import RULES, Selector
from branchwise.orchestrator.search.simulations import Simulation, State, Ticket
from branchwise.orchestrator.search.statistics import statistics
from branchwise.orchestrator.search.tree import ROOT, Node, Tree, worth


class Options(_Options):
    """Options of Monte Carlo tree search."""

    kind: Literal["mcts"] = "mcts"
    iterations: int = Field(32, gt=0, description="Expansions in all.")
    children: int = Field(4, gt=0, description="Children drawn of a node.")
    batch: int | None = Field(
        None, gt=0, description="Children drawn in one expansion; default: all. 1: one an iteration, as in textbooks."
    )
    depth: int = Field(8, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    selection: Literal["uct", "lats", "puct", "puct_best"] = Field("uct", description="How children are compared.")
    exploration: float | None = Field(None, ge=0, description="Constant of the selection rule; default: its own.")
    evaluate: Literal["children", "leaf"] = Field(
        "children", description="What an iteration evaluates: each new child, or the node that it expands."
    )
    rollouts: int = Field(0, ge=0, description="Whole continuations drawn to evaluate a leaf.")
    rollout_weight: float = Field(
        1.0, ge=0, le=1, description="Share of the rollouts' mean in the leaf's value; the rest is its judgement."
    )
    rollout_temperature: float | None = Field(None, ge=0, description="Of rollouts; default: the policy's own.")
    discount: float = Field(1.0, gt=0, le=1, description="Factor on a return at each step on the way up.")
    dead_end: float | None = Field(
        None,
        description="Return of a node all of whose children were lost; default: none, it counts as a visit alone.",
    )
    retries: int = Field(1, ge=0, description="Further tries to expand a node all of whose children were lost.")
    transpositions: bool = Field(False, description="One node for equal states, in a world that names its states.")
    revisit: bool = Field(False, description="Iterations may return to finished answers, free of charge.")
    in_flight: int = Field(4, gt=0, description="Most leaves under way at once.")
    virtual_loss: float = Field(1.0, ge=0, description="Visits that a leaf under way counts for on its way.")
    virtual_value: float | None = Field(
        None, description="Value of those visits: a loss, say; default: none, they count as visits alone (WU-UCT)."
    )
    recommendation: Literal["best_rollout", "value", "visits"] = Field(
        "best_rollout",
        description="The answer: the finished one of greatest value, or where means or visits lead in the tree.",
    )
    until_decided: bool = Field(
        False, description="Stop when the most visited first step can't be overtaken; for recommendation: visits."
    )
    finish: int = Field(
        1, ge=0, description="Whole answers drawn in the end from where the tree leads, if it has come to none."
    )
    wants_reward: ClassVar[bool] = True
    own_select: ClassVar[Rule] = "recommended"
    stepwise: ClassVar[bool] = True
    adaptive: ClassVar[bool] = True

    @model_validator(mode="after")
    def _fit(self) -> Options:
        if self.evaluate == "leaf" and self.batch is not None:
            raise ValueError("evaluate: leaf draws all children at once: leave batch out")
        if self.width > self.children:
            raise ValueError(f"batch: {self.batch} children in one expansion are more than children: {self.children}")
        if self.until_decided and self.recommendation != "visits":
            raise ValueError("until_decided is about visits: it wants recommendation: visits")
        return self

    @property
    def wants_world(self) -> bool:
        """True where states are to be told apart by the names that a world gives them."""
        return self.transpositions

    @property
    def width(self) -> int:
        """Children drawn in one expansion."""
        return self.batch or self.children


class MCTS:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory) -> None:
        self._options, rule = options, RULES[options.selection]
        c = rule.c if options.exploration is None else options.exploration
        self._selector = Selector(rule, c, options.virtual_loss, options.virtual_value)
        self._last = len(root.lineage) + options.depth - 1
        self._by: By = "visits" if options.recommendation == "visits" else "value"
        self.state = State(Tree([Node(root, open=True, ready=1)]))

    @property
    def finished(self) -> bool:
        """True when the iterations are used up, no way on is left, or the first step is decided."""
        state = self.state
        under_way = state.out or state.wanted or self._may_begin() or self._lacks_answer()
        return not under_way or (state.decided and state.answered)

    def candidates(self) -> list[Candidate]:
        """The finished answers in the order told: the search's own list, not to be changed."""
        return self.state.candidates

    def recommended(self) -> Candidate | None:
        """The answer to which the tree leads; None where there is none."""
        answers = [candidate for candidate in self.state.candidates if candidate.answer is not None]
        if self._options.recommendation == "best_rollout":
            return best_finished(answers)
        return recommended(self.state.tree, answers, self._by)

    def statistics(self) -> Statistics:
        """Visits, mean return and prior of every node, and the greatest return."""
        return statistics(self.state.tree)

    def ask(self, room: int) -> list[Expansion]:
        """Rollouts that simulations under way wait for, then new simulations."""
        state, asked = self.state, list[Expansion]()
        while len(asked) < room and not (state.decided and state.answered):
            if state.wanted:
                asked.append(self._roll_out(state.wanted.pop(0)))
            elif len(state.under_way) < self._options.in_flight and self._may_begin():
                asked.append(self._begin())
            elif not state.out and self._lacks_answer():
                asked.append(self._finish())
            else:
                break
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Take in children or rollouts; once a simulation has all that it waits for, back up."""
        state, ticket = self.state, self.state.out.pop(outcome.ticket)
        simulation = state.under_way[ticket.simulation]
        simulation.out -= 1
        if ticket.rollout:
            simulation.returns[ticket.node] = self._returns(outcome)
        else:
            self._expand(ticket, simulation, outcome)
        if not simulation.out:
            del state.under_way[ticket.simulation]
            self._end(simulation)

    # -- select ------------------------------------------------------------------------------------------

    def _may_begin(self) -> bool:
        state = self.state
        return state.iterations < self._options.iterations and state.tree.root.ready > 0 and not state.decided

    def _begin(self) -> Expansion:
        """Select a node and ask for children of it."""
        state, children = self.state, self._options.children
        ticket = state.start(self._selector.descend(state.tree.nodes))
        node = state.tree.nodes[ticket.node]
        if node.expanded is None:
            node.expanded = ticket.simulation
            if self._options.evaluate == "leaf" and (self._options.rollouts or ticket.node != ROOT):
                self._evaluate(ticket, ticket.node)  # but a root that only a judgement could tell of: it has none
        count = min(self._options.width, children - node.sampled % children)
        node.sampled += count
        node.growing += 1
        state.iterations += 1
        state.tree.set_open(ticket.node, self._may_grow(node))
        return state.ask(ticket, count, to_end=self._is_last(node))

    def _may_grow(self, node: Node) -> bool:
        """True where draws are left; where all were lost, those of another try once nothing is out."""
        children = self._options.children
        if node.aside:
            return False
        if node.sampled < children:
            return True
        return not (node.children or node.growing) and node.sampled < children * (1 + self._options.retries)

    def _is_last(self, node: Node) -> bool:
        return len(node.trajectory.lineage) == self._last

    def _roll_out(self, ticket: Ticket) -> Expansion:
        return self.state.ask(ticket, self._options.rollouts, True, self._options.rollout_temperature)

    def _lacks_answer(self) -> bool:
        """True where the search would end without an answer, and has not yet done anything about it."""
        return self._options.finish > 0 and not (self.state.finishing or self.state.answered)

    def _finish(self) -> Expansion:
        """Whole answers from the last step that the tree recommends: a simulation that evaluates nothing."""
        state, way = self.state, principal_way(self.state.tree, self._by)
        while state.tree.nodes[way[-1]].trajectory.terminal:
            del way[-1]
        state.finishing = True
        return state.ask(replace(state.start(way), rollout=True), self._options.finish, to_end=True)

    # -- expand, evaluate --------------------------------------------------------------------------------

    def _expand(self, ticket: Ticket, simulation: Simulation, outcome: Outcome) -> None:
        """Children enter the tree; where none came and none is to come, this is a dead end."""
        tree, options = self.state.tree, self._options
        parent = tree.nodes[ticket.node]
        parent.growing -= 1
        for candidate in self.state.keep(outcome, self._is_last(parent)):
            index, is_new = tree.enter(ticket.node, candidate, options.transpositions)
            node = tree.nodes[index]
            if self._selector.rule.by_judgement and not node.visits and node.judged is not None:
                node.value = node.judged
            if is_new and (options.evaluate == "children" or candidate.done):
                node.pending += 1
                self._evaluate(ticket, index)
            elif is_new and node.judged is None and not (options.rollouts or node.visits):
                self.state.set_aside(index)  # its evaluation could come to nothing
        tree.set_open(ticket.node, self._may_grow(parent))
        if not (parent.children or parent.growing or parent.open):
            self.state.back_up(simulation.path, options.dead_end, options.discount)

    def _evaluate(self, ticket: Ticket, index: int) -> None:
        """A leaf is worth its judgement, but wait for its rollouts if there are to be any."""
        simulation = self.state.under_way[ticket.simulation]
        simulation.leaves.append(index)
        if self._options.rollouts and not self.state.tree.nodes[index].trajectory.terminal:
            self.state.wanted.append(Ticket(ticket.simulation, index, rollout=True))
            simulation.out += 1

    def _returns(self, outcome: Outcome) -> list[float]:
        return [value for value in map(worth, self.state.keep(outcome, to_end=True)) if value is not None]

    # -- back up -----------------------------------------------------------------------------------------

    def _end(self, simulation: Simulation) -> None:
        """All that a simulation waited for is there: what it found counts, and the search may be decided by it."""
        options, tree = self._options, self.state.tree
        self.state.end(simulation, options.rollout_weight, options.discount)
        self.state.take_up()
        if options.revisit:
            self._revisit()
        if options.until_decided:
            left = options.iterations - self.state.iterations + len(self.state.under_way)
            self.state.decided = is_decided(tree, left * (options.width + 1))

    def _revisit(self) -> None:
        """Iterations that lead to finished answers: as many as the rule wants before it wants to expand."""
        state, tree = self.state, self.state.tree
        while self._may_begin():
            path = self._selector.descend(tree.nodes, again=True)
            leaf = tree.nodes[path[-1]]
            if not leaf.trajectory.terminal or leaf.judged is None:
                return
            state.iterations += 1
            state.back_up(path, leaf.judged, self._options.discount)


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    leaves = 1 if options.evaluate == "leaf" else options.width
    return options.iterations * (options.width + leaves * options.rollouts) + options.finish


def build(options: Options, root: Trajectory, seed: int) -> MCTS:
    """The search below ``root``."""
    return MCTS(options, root)
