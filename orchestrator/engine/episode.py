"""Episode: one problem's way through the workflow. It owns the problem's accounts, tallies, failures, and world.

A node of the workflow calls ``search`` or ``ask``; both charge the episode, both go through the journal. What is
opened on the way is closed when the episode ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, cast

from branchwise.orchestrator.core.budget import Account, Tally
from branchwise.orchestrator.core.decisions import Decision, Told
from branchwise.orchestrator.core.errors import AgentFormatError, BudgetRefused, Failure
from branchwise.orchestrator.core.events import Decided
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.outlook import Outlook
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.record import Begin, SearchRecord
from branchwise.orchestrator.core.roles import Agent, Recommending, Reply, View
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.seeds import seed_for
from branchwise.orchestrator.core.selection import Rule, Selection, select
from branchwise.orchestrator.core.together import bare
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.engine.contest import Contest, Contested
from branchwise.orchestrator.engine.driver import Driver
from branchwise.orchestrator.engine.expand import Means, bound_of, expand
from branchwise.orchestrator.engine.purse import Purse
from branchwise.orchestrator.engine.run import Run
from branchwise.orchestrator.engine.worlds import Worlds
from branchwise.orchestrator.journal.decisions import DecisionLog
from branchwise.orchestrator.journal.effects import Effects


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What a search node does: the algorithm, the means of its expansions, the rule that picks the answer.

    ``most_draws`` is how many draws the algorithm takes at most, None where it does not say. A ``contest`` among the
    candidates picks the answer instead.
    """

    node: str
    algorithm: Begin
    means: Means
    rule: Rule
    window: int = 64
    order: Literal["ticket", "arrival"] = "ticket"
    most_draws: int | None = None
    contest: Contest | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """How a search ended and what it selected."""

    selection: Selection
    stop: StopReason


@dataclass(slots=True)
class Episode:
    """One problem under way."""

    run: Run
    problem: Problem
    account: Account = field(init=False)
    drawn: Tally = field(default_factory=Tally)
    cancelled: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    judgements: int = 0
    opened: AsyncExitStack = field(default_factory=AsyncExitStack)
    outlook: Outlook = field(default_factory=Outlook)
    _branches: dict[tuple[str, int], Account] = field(default_factory=dict)
    _worlds: Worlds | None = None

    def __post_init__(self) -> None:
        budget = self.run.budget
        self.account = Account("problem", budget.problem, budget.mode, self.run.account)

    async def search(self, plan: SearchPlan) -> Searched:
        """Run a search from the problem's root. What it decided is on record under the node's name."""
        root, plan = Trajectory(self.problem), self._in_world(plan)
        search, self.outlook.remaining_draws = plan.algorithm(root), plan.most_draws

        def record() -> SearchRecord:
            return SearchRecord(plan.node, root, self._log(plan.node, root).replay(), plan.algorithm)

        driver = Driver(
            search,
            lambda expansion: self._expand(expansion, plan),
            self._log(plan.node, root),
            plan.window,
            plan.order,
            self._purse(plan),
            lambda: self.run.seconds_left(self.problem.id),
            lambda decision: self._decided(plan.node, decision, record),
        )
        try:
            stop = await driver.run()
        finally:
            self.drawn.merge(driver.tally)
            self.cancelled.merge(driver.cancelled)
        recommended = cast(Recommending, search).recommended() if plan.rule == "recommended" else None
        selection = select(plan.rule, search.candidates(), recommended)
        return await self._contested(plan, search.candidates(), Searched(selection, stop))

    async def _contested(self, plan: SearchPlan, candidates: list[Candidate], searched: Searched) -> Searched:
        """What a tournament makes of a search's candidates; without one, what was selected."""
        contest, seed = plan.contest, seed_for(self.run.seed, self.problem.id, (), "tournament", plan.means.attempt)
        entrants = contest.entrants(candidates, seed) if contest is not None else []
        if contest is None or not entrants:
            return searched
        contested = Contested(contest, entrants, seed)
        try:
            with self._scope(plan.node):
                await contested.play(self.account, self.run.account, self.run.seconds_left(self.problem.id))
        finally:
            self.drawn.merge(contested.drawn)
            self.failures += contested.failures
            self.judgements += contested.judgements
        return Searched(contested.selection(candidates), contested.stop or searched.stop)

    async def ask(self, node: str, agent: Agent, view: View, role: str, price: Price) -> Reply:
        """One reply of one agent. BoundaryError or BudgetRefused where there is none."""
        tally, left = Tally(), self.run.seconds_left(self.problem.id)
        limit = asyncio.timeout(left)
        if left is not None and left <= 0:
            raise BudgetRefused("time", "seconds", 0.0, 0.0)
        reservation = self.account.reserve(price.bound(agent.bound(view)), role, until=self.run.account)
        try:
            with self._scope(node, role=role, tally=tally):
                async with limit:
                    replies = await bare(agent.reply(view))
        except TimeoutError:
            if not limit.expired():  # the agent's own: a defect, as in a search
                raise
            raise BudgetRefused("time", "seconds", 0.0, 0.0) from None
        finally:
            reservation.settle(tally.total)
            self.drawn.merge(tally)
        if len(replies) != 1:
            raise AgentFormatError(f"{len(replies)} replies to 1 draw")
        return replies[0]

    def seed(self, visit: int, role: str) -> int:
        """The seed of an agent's draw at its n-th visit."""
        return seed_for(self.run.seed, self.problem.id, (visit,), role)

    async def _expand(self, expansion: Expansion, plan: SearchPlan) -> Outcome:
        with self._scope(plan.node, outlook=self.outlook):
            return await expand(expansion, plan.means)

    def _scope(
        self, node: str, role: str | None = None, tally: Tally | None = None, outlook: Outlook | None = None
    ) -> scope:
        """The scope of calls that a node of this problem makes."""
        run, problem_id = self.run, self.problem.id
        return scope(
            run=run.id, problem_id=problem_id, node=node, role=role, account=run.account, tally=tally, outlook=outlook
        )

    def _in_world(self, plan: SearchPlan) -> SearchPlan:
        """The plan, acted out where the task has a world: one for all searches of the episode."""
        run, problem = self.run, self.problem
        if run.world is None or run.environment is None:
            return plan
        if self._worlds is None:
            effects = Effects(run.journal, problem.id)
            self._worlds = Worlds(run.world, partial(run.environment, problem), effects)
            self.opened.push_async_callback(self._worlds.aclose)
        strict = self._bounded and run.budget.mode == "hard"
        return replace(plan, means=plan.means.in_world(self._worlds, strict))

    def _log(self, node: str, root: Trajectory) -> DecisionLog:
        journal, problem_id = self.run.journal, self.problem.id

        def write(seq: int, kind: str, payload: str) -> None:
            journal.write_decision(problem_id, node, seq, kind, payload)

        return DecisionLog(root, write, journal.decisions(problem_id, node))

    def _decided(self, node: str, decision: Decision, record: Callable[[], SearchRecord]) -> None:
        if isinstance(decision, Told):
            self.outlook.committed(decision.outcome.candidates)
            for candidate in decision.outcome.candidates:
                judged = candidate.judgement.failure if candidate.judgement else None
                self.judgements += candidate.judgement is not None
                self.failures += [failure for failure in (candidate.failure, judged) if failure is not None]
        self.run.notify(Decided(self.problem.id, node, decision, record=record))

    @property
    def _bounded(self) -> bool:
        branch = Account("branch", self.run.budget.branch, parent=self.account)
        return branch.bounded(until=self.run.account)

    def _purse(self, plan: SearchPlan) -> Purse | None:
        if not self._bounded:
            return None
        branch = partial(self._branch, plan.node)
        return Purse(self.account, branch, self.run.account, lambda expansion: bound_of(expansion, plan.means))

    def _branch(self, node: str, sibling: int) -> Account:
        """The account of a root's child, in one search: a node that is entered again has another name."""
        budget, key = self.run.budget, (node, sibling)
        return self._branches.setdefault(key, Account(f"branch {sibling}", budget.branch, budget.mode, self.account))
