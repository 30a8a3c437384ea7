"""Driver: runs one search. The search says where to look next; the driver makes it happen and tells.

1. Replay the decisions on record: the search comes back to the tree it had.
2. Ask for expansions while there is room, and start a task for each. Room is logical: a fixed window less the
   tickets not yet committed, so slow servers delay work but never change what is asked.
3. Commit outcomes in ticket order (or, if so chosen, in order of arrival): record, then tell, then ask again.
4. When the search is finished, cancel the tickets that are out; they are never told, even if they had arrived, and
   what they used is charged. A budget that refuses, or a deadline, ends the asking; what is out is committed as far
   as it comes.

Stops are decided at commit, so one seed gives one tree whatever the order in which answers arrive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from branchwise.orchestrator.core.budget import Tally
from branchwise.orchestrator.core.decisions import Asked, Decision, Refused, Settled, Stopped, Told
from branchwise.orchestrator.core.errors import BudgetRefused, NotOnRecord, Suspended
from branchwise.orchestrator.core.expansion import Expansion, Outcome
from branchwise.orchestrator.core.record import ask_again
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.engine.purse import Purse, UsageByRole
from branchwise.orchestrator.engine.refusals import budget_stop
from branchwise.orchestrator.journal.decisions import DecisionLog

Order = Literal["ticket", "arrival"]
Notify = Callable[[Decision], None]


@dataclass(slots=True)
class Driver:
    """One search on one problem. ``window`` is the most tickets that are out at once."""

    search: Search
    expand: Callable[[Expansion], Awaitable[Outcome]]
    log: DecisionLog
    window: int = 64
    order: Order = "ticket"
    purse: Purse | None = None
    seconds_left: Callable[[], float | None] = lambda: None
    notify: Notify = lambda decision: None
    tally: Tally = field(default_factory=Tally)
    cancelled: Tally = field(default_factory=Tally)
    reason: StopReason | None = None
    _out: dict[int, Expansion] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[Outcome | None]] = field(default_factory=dict)
    _missing: dict[int, NotOnRecord] = field(default_factory=dict)
    _untold: Tally = field(default_factory=Tally)
    _arrived: deque[int] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: StopReason | None = None
    _unbooked: Refused | None = None
    _asked_since_tell: bool = False
    _lost: bool = False
    _suspended: bool = False

    async def run(self) -> StopReason:
        """Drive the search to its end and say why it ended. Suspended where the run was asked to stop."""
        for decision in self.log.replay():
            self._unbooked = None
            self._apply(decision)
            self.notify(decision)
        if self._unbooked is not None:  # the record ends between the asking and the refusal
            self._decide(self._unbooked)
        if self.reason is None:
            await self._live()
        if self._suspended:
            raise Suspended("the run was asked to stop")
        assert self.reason is not None
        return self.reason

    # -- decisions, new or on record ---------------------------------------------------------------------

    def _apply(self, decision: Decision) -> None:
        match decision:
            case Asked():
                ask_again(self.search, decision)
                self._unbooked = self._book(decision.expansions)  # the record's next line says so, if there is one
                self._asked_since_tell = True
            case Told(outcome):
                del self._out[outcome.ticket]
                self._tell(outcome)
            case Refused(tickets, reason):
                for ticket in tickets:
                    self._out.pop(ticket, None)
                    self._settle(ticket)
                self._closing = reason
            case Stopped(reason, cancelled):
                for ticket in cancelled:
                    self._out.pop(ticket)
                    self._settle(ticket)
                self.reason = reason
            case Settled(usage):
                for role, used in usage:
                    self.cancelled.add(role, used)
                if self.purse is not None:
                    self.purse.charge(usage)

    def _decide(self, decision: Decision) -> None:
        """Record a decision, then act upon it."""
        self._record(decision)
        self._apply(decision)

    def _book(self, expansions: tuple[Expansion, ...]) -> Refused | None:
        """Book tickets in their order, as far as there is budget; the refusal of the others."""
        self._out |= {expansion.ticket: expansion for expansion in expansions}
        for index, expansion in enumerate(expansions):
            if self.purse is not None:
                try:
                    self.purse.book(expansion)
                except BudgetRefused as refused:
                    return Refused(tuple(e.ticket for e in expansions[index:]), budget_stop(refused))
        return None

    # -- live --------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        left = self.seconds_left()
        if left is not None and left <= 0:  # nothing is sent for a search whose time was up before it went on
            self._closing = StopReason.BUDGET_SECONDS
            self._stop()
            return
        async with asyncio.TaskGroup() as group:
            alarm = None if left is None else asyncio.get_running_loop().call_later(left, self._time_is_up)
            try:
                for expansion in self._out.values():
                    self._start(group, expansion)
                if not self._asked_since_tell:
                    self._ask(group)
                while self._out and not self.search.finished:
                    ticket = await self._next()
                    if ticket is None:
                        break
                    self._commit(ticket, group)
                if self._closing is StopReason.BUDGET_SECONDS:
                    self._commit_arrived(group)
                if self._suspended:
                    await self._rest()
                    return
                self._stop()
            finally:
                if alarm is not None:
                    alarm.cancel()
        self._settle_untold()

    def _ask(self, group: asyncio.TaskGroup) -> None:
        """Ask for as much as there is room for, book it, start it."""
        self._asked_since_tell = True
        room = self.window - len(self._out)
        if self._closing is not None or self.search.finished or room <= 0:
            return
        expansions = tuple(self.search.ask(room))
        if not expansions:
            return
        self._record(Asked(room, expansions))
        refused = self._book(expansions)
        if refused is not None:
            self._decide(refused)
        for expansion in expansions:
            if expansion.ticket in self._out:
                self._start(group, expansion)

    def _start(self, group: asyncio.TaskGroup, expansion: Expansion) -> None:
        task = group.create_task(self._work(expansion))
        self._tasks[expansion.ticket] = task
        task.add_done_callback(lambda _, ticket=expansion.ticket: self._land(ticket))  # type: ignore[misc]

    async def _work(self, expansion: Expansion) -> Outcome | None:
        try:
            with scope(tally=self._untold):
                return await self.expand(expansion)
        except Suspended:
            return None
        except NotOnRecord as missing:  # a replay lacks nothing unless this ticket is to be committed
            self._missing[expansion.ticket] = missing
            self._news.set()
            await asyncio.Event().wait()  # until cancelled
            raise

    def _land(self, ticket: int) -> None:
        self._arrived.append(ticket)
        self._news.set()

    async def _next(self) -> int | None:
        """The ticket to commit next; None where no more can be: time is up or the run is suspended."""
        while True:
            ticket = self._ready()
            if ticket is not None:
                task = self._tasks[ticket]
                if task.cancelled():
                    return None
                if task.result() is None:
                    self._suspended = True
                    return None
                return ticket
            self._check_missing()
            self._news.clear()
            await self._news.wait()

    def _check_missing(self) -> None:
        """NotOnRecord where no ticket can be committed any more without a draw that the replay lacks."""
        due = [next(iter(self._out))] if self.order == "ticket" else list(self._out)
        if all(ticket in self._missing for ticket in due):
            raise self._missing[due[0]]

    def _ready(self) -> int | None:
        if self.order == "arrival":
            return self._arrived.popleft() if self._arrived else None
        first = next(iter(self._out))
        return first if self._tasks[first].done() else None

    def _commit(self, ticket: int, group: asyncio.TaskGroup) -> None:
        """Record, then tell, then ask again."""
        outcome = self._tasks.pop(ticket).result()
        assert outcome is not None
        self._decide(Told(outcome))
        self._ask(group)

    def _commit_arrived(self, group: asyncio.TaskGroup) -> None:
        """Time is up: what has arrived out of order was paid for and is told all the same."""
        for ticket in list(self._out):
            if self._landed(ticket) is not None and not self.search.finished:
                self._commit(ticket, group)

    def _landed(self, ticket: int) -> Outcome | None:
        """What a ticket came home with; None where it is out, was cancelled or rests, or an error is on its way."""
        task = self._tasks[ticket]
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None

    def _tell(self, outcome: Outcome) -> None:
        self._settle(outcome.ticket, outcome.usage)
        for role, usage in outcome.usage:
            self.tally.add(role, usage)
        if outcome.refusal is not None:
            self._closing = outcome.refusal
        self._lost |= any(candidate.failure is not None for candidate in outcome.candidates)
        self.search.tell(outcome)
        self._asked_since_tell = False

    # -- the end -----------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Decide why it ended, and cancel what is out. What has come home by now is known: a kill can't lose it."""
        self._decide(Stopped(self._closing or _natural_end(self.search, self._lost), tuple(self._out)))
        self._settle_untold()
        for task in self._tasks.values():
            task.cancel()

    def _settle_untold(self) -> None:
        """Charge what tickets used that are never told: they came home too late, or have stopped since."""
        for ticket in list(self._tasks):
            outcome = self._landed(ticket)
            if outcome is not None:
                del self._tasks[ticket]
                for role, used in outcome.usage:
                    self._untold.add(role, used)
        usage = tuple(sorted(self._untold.by_role.items()))
        self._untold.by_role.clear()
        if usage:
            self._decide(Settled(usage))

    async def _rest(self) -> None:
        """Let every call in flight come to its end, so that nothing paid for is lost."""
        for ticket in self._missing:
            self._tasks[ticket].cancel()
        await asyncio.wait(list(self._tasks.values()))

    def _time_is_up(self) -> None:
        self._closing = StopReason.BUDGET_SECONDS
        for task in self._tasks.values():
            task.cancel()
        self._news.set()

    # -- books -------------------------------------------------------------------------------------------

    def _record(self, decision: Decision) -> None:
        self.log.append(decision)
        self.notify(decision)

    def _settle(self, ticket: int, usage: UsageByRole = ()) -> None:
        if self.purse is not None:
            self.purse.settle(ticket, usage)


def _natural_end(search: Search, lost: bool) -> StopReason:
    """An answer, or what kept a search from one, of whose draws some were lost to failures or none."""
    candidates = search.candidates()
    if any(candidate.answer is not None for candidate in candidates):
        return StopReason.ANSWERED
    if not candidates:
        return StopReason.FAILED if lost else StopReason.MAX_DEPTH
    stops = {candidate.trajectory.stop for candidate in candidates}
    return next((s for s in (StopReason.MAX_TOKENS, StopReason.MAX_DEPTH) if s in stops), StopReason.BAD_FORMAT)
