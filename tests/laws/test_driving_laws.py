"""The laws of every search algorithm under the driver: budgets, deadlines, early stops, order of arrival."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.decisions import Asked, Decision, Refused, Stopped, Told
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.engine.driver import Driver
from branchwise.orchestrator.engine.purse import Purse
from branchwise.orchestrator.journal.decisions import DecisionLog
from tests.laws.toy import ROOT, WRITTEN, all_settings, grow, new_search

Rows = list[tuple[str, str]]
Expand = Callable[[Expansion], Awaitable[Outcome]]

every_search = pytest.mark.parametrize("options", all_settings(), ids=lambda options: repr(options)[:60])


@dataclass
class Run:
    """What one run of a search decided, recorded and found."""

    reason: StopReason
    candidates: list[Candidate]
    seen: list[Decision] = field(default_factory=list)
    rows: Rows = field(default_factory=list)

    @property
    def asked(self) -> list[int]:
        return [e.ticket for one in self.seen if isinstance(one, Asked) for e in one.expansions]

    @property
    def told(self) -> list[int]:
        return [one.outcome.ticket for one in self.seen if isinstance(one, Told)]

    @property
    def refused(self) -> list[int]:
        return [ticket for one in self.seen if isinstance(one, Refused) for ticket in one.tickets]

    @property
    def cancelled(self) -> list[int]:
        return [ticket for one in self.seen if isinstance(one, Stopped) for ticket in one.cancelled]

    @property
    def tree(self) -> Rows:
        """What was decided; what cancelled tickets had used by then depends on timing."""
        return [row for row in self.rows if row[0] != "settle"]


async def drive(options: Options, expand: Expand, recorded: Rows | None = None, **settings: Any) -> Run:
    """Run a search under the driver, after what is on record; no ticket may get lost and none is told in vain."""
    search, seen, rows = new_search(options), list[Decision](), list(recorded or [])

    def notice(decision: Decision) -> None:
        seen.append(decision)
        live = len(seen) > len(recorded or [])
        assert not (live and isinstance(decision, Told) and search.finished)

    log = DecisionLog(ROOT, lambda seq, kind, payload: rows.append((kind, payload)), list(recorded or []))
    reason = await Driver(search, expand, log, notify=notice, **{"window": 8, **settings}).run()
    run = Run(reason, search.candidates(), seen, rows)
    assert sorted([*run.told, *run.refused, *run.cancelled]) == run.asked == list(range(len(run.asked)))
    assert all(candidate.done for candidate in run.candidates)
    return run


def shuffled(seed: int, failure_rate: float = 0.2) -> Expand:
    """Expansions that come back in some order."""
    latency = random.Random(seed)

    async def expand(expansion: Expansion) -> Outcome:
        for _ in range(latency.randrange(6)):
            await asyncio.sleep(0)
        return grow(expansion, failure_rate)

    return expand


async def nothing_is_drawn(expansion: Expansion) -> Outcome:
    raise AssertionError(f"ticket {expansion.ticket} was started")


def purse(calls: int) -> tuple[Purse, Account]:
    """A problem with so many calls; each child books one, each ticket uses one."""
    run = Account("run", Limits())
    problem = Account("problem", Limits(calls=calls), "hard", run)
    branches: dict[int, Account] = {}

    def branch(number: int) -> Account:
        return branches.setdefault(number, Account(f"branch {number}", Limits(), "hard", problem))

    return Purse(problem, branch, run, lambda expansion: [("policy", Usage(calls=1))]), problem


@every_search
@pytest.mark.parametrize("calls", [1, 4, 13])
async def test_a_budget_that_refuses_in_mid_run_ends_it_with_what_there_is(options: Options, calls: int) -> None:
    trees = []
    for order in range(3):
        budget, problem = purse(calls)
        run = await drive(options, shuffled(order), purse=budget)
        assert problem.spent.calls <= calls
        assert not run.refused or run.reason is StopReason.BUDGET_CALLS
        assert problem.booked_calls == 0
        trees.append((run.tree, run.candidates, run.reason))
    assert all(tree == trees[0] for tree in trees)


@every_search
async def test_a_run_that_a_budget_ended_is_replayed_from_any_prefix(options: Options) -> None:
    whole = await drive(options, shuffled(1), purse=purse(9)[0])
    for cut in range(0, len(whole.rows) + 1, 2):
        again = await drive(options, shuffled(cut), whole.rows[:cut], purse=purse(9)[0])
        assert (again.tree, again.candidates, again.reason) == (whole.tree, whole.candidates, whole.reason)


@every_search
async def test_a_refusal_that_did_not_reach_the_record_is_made_again(options: Options) -> None:
    for calls in (1, 5, 9):
        whole = await drive(options, shuffled(1), purse=purse(calls)[0])
        for cut in [index for index, (kind, _) in enumerate(whole.rows) if kind == "refuse"]:
            again = await drive(options, shuffled(2), whole.rows[:cut], purse=purse(calls)[0])
            assert (again.tree, again.candidates, again.reason) == (whole.tree, whole.candidates, whole.reason)


@every_search
@pytest.mark.parametrize("last", [0, 2, 5])
@pytest.mark.parametrize("kept", [(), (Step("done\n"), Step("before\n"))], ids=["nothing", "steps"])
async def test_a_budget_that_cuts_an_expansion_short_is_the_last_thing_asked(
    options: Options, last: int, kept: tuple[Step, ...]
) -> None:
    async def expand(expansion: Expansion) -> Outcome:
        if expansion.ticket < last:
            return grow(expansion, 0.2)
        stem, siblings = expansion.parent.stem, range(expansion.first, expansion.first + expansion.count)
        stopped = tuple(Candidate(stem.extend(kept, k, StopReason.BUDGET_TOKENS)) for k in siblings)
        return Outcome(expansion.ticket, stopped, refusal=StopReason.BUDGET_TOKENS)

    run = await drive(options, expand)
    cut = [index for index, one in enumerate(run.seen) if isinstance(one, Told) and one.outcome.refusal]
    assert not any(isinstance(one, Asked) for one in run.seen[cut[0] if cut else len(run.seen) :])
    assert run.reason is StopReason.BUDGET_TOKENS or not cut


@every_search
@pytest.mark.parametrize("order", ["ticket", "arrival"])
@pytest.mark.parametrize("last", [0, 3, 10])
async def test_a_deadline_ends_it_with_what_has_arrived(options: Options, order: str, last: int) -> None:
    async def expand(expansion: Expansion) -> Outcome:
        if expansion.ticket >= last:
            await asyncio.Event().wait()
        return grow(expansion, 0.2)

    run = await drive(options, expand, order=order, seconds_left=lambda: 0.02)
    assert run.reason is StopReason.BUDGET_SECONDS or set(run.asked[last:]) <= set(run.cancelled)
    assert all(ticket < last for ticket in run.told)
    again = await drive(options, nothing_is_drawn, run.rows, order=order)
    assert (again.rows, again.candidates, again.reason) == (run.rows, run.candidates, run.reason)


@every_search
async def test_nothing_is_asked_after_the_deadline(options: Options) -> None:
    run = await drive(options, nothing_is_drawn, seconds_left=lambda: 0.0)
    assert (run.reason, run.asked, run.candidates) == (StopReason.BUDGET_SECONDS, [], [])


@every_search
@pytest.mark.parametrize("order", ["ticket", "arrival"])
async def test_what_is_out_when_it_ends_is_cancelled_and_nothing_else(options: Options, order: str) -> None:
    started, returned, stopped = set[int](), set[int](), set[int]()
    latency = random.Random(3)

    async def expand(expansion: Expansion) -> Outcome:
        started.add(expansion.ticket)
        try:
            for _ in range(latency.randrange(30)):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            stopped.add(expansion.ticket)
            raise
        returned.add(expansion.ticket)
        return grow(expansion)

    run = await drive(options, expand, order=order)
    assert set(run.told) <= returned
    assert stopped <= set(run.cancelled)
    assert started == returned | stopped


@every_search
@pytest.mark.parametrize("order", ["ticket", "arrival"])
async def test_all_that_came_home_is_charged_whether_it_was_told_or_not(options: Options, order: str) -> None:
    latency, home = random.Random(4), set[int]()

    async def expand(expansion: Expansion) -> Outcome:
        for _ in range(latency.randrange(30)):
            await asyncio.sleep(0)
        home.add(expansion.ticket)
        return grow(expansion)

    budget, problem = purse(10_000)
    run = await drive(options, expand, order=order, purse=budget)
    assert problem.spent.calls == len(home)
    again, told = purse(10_000)
    await drive(options, nothing_is_drawn, run.rows, order=order, purse=again)
    assert told.spent == problem.spent


async def test_a_kill_while_tickets_are_cancelled_loses_nothing_that_had_come_home() -> None:
    vote = WRITTEN.validate_python({"kind": "best_of_n", "n": 9, "stop": "decided"})
    rows, kept = Rows(), Rows()

    async def expand(expansion: Expansion) -> Outcome:
        if expansion.ticket == 8:
            try:
                await asyncio.Event().wait()
            finally:
                kept.extend(rows)
        for _ in range(0 if expansion.ticket else 20):
            await asyncio.sleep(0)
        outcome = grow(expansion)
        agreed = tuple(replace(candidate, answer=Answer("1", "1")) for candidate in outcome.candidates)
        return replace(outcome, candidates=agreed)

    log = DecisionLog(ROOT, lambda seq, kind, payload: rows.append((kind, payload)))
    driver = Driver(new_search(vote), expand, log)
    await driver.run()
    assert (driver.tally.total.calls, driver.cancelled.total.calls) == (5, 3)
    assert [kind for kind, _ in kept[-2:]] == ["stop", "settle"]
    budget, problem = purse(9)
    resumed = Driver(new_search(vote), nothing_is_drawn, DecisionLog(ROOT, lambda *row: None, kept), purse=budget)
    await resumed.run()
    assert (resumed.cancelled.total.calls, problem.spent.calls) == (3, 8)


@every_search
async def test_in_order_of_arrival_the_record_replays_to_the_same_tree(options: Options) -> None:
    for seed in range(3):
        run = await drive(options, shuffled(seed), order="arrival")
        again = await drive(options, nothing_is_drawn, run.rows, order="arrival")
        assert (again.seen, again.candidates, again.reason) == (run.seen, run.candidates, run.reason)


@every_search
async def test_in_order_of_arrival_any_prefix_of_the_record_is_kept_and_gone_on_from(options: Options) -> None:
    run = await drive(options, shuffled(5), order="arrival")
    for cut in range(0, len(run.rows), 2):
        again = await drive(options, shuffled(cut), run.rows[:cut], order="arrival")
        assert again.rows[:cut] == run.rows[:cut]
