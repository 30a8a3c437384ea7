"""Metering: refused before it is sent, settled by what was used, priced."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.core.budget import Account, Limits, RoleLimits
from branchwise.orchestrator.core.errors import BackendError, BudgetRefused
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.usage import Usage
from tests.server import Server, until

PRICE = Price(prompt=2.0, cached=0.5, completion=10.0)
ASKED = Request(messages=(user("Go"),), seed=1, n=2, max_tokens=50)
DRAWS = (Draw("x", "end", Usage(100, 20, 40, calls=1)), Draw("y", "end", Usage(0, 30)))
MONEY = (60 * 2.0 + 40 * 0.5 + 20 * 10.0) / 1e6, 30 * 10.0 / 1e6


class Raw:
    """A backend that books this progress, then waits for ever, raises or answers."""

    identity = Identity("raw")
    capabilities = Capabilities()

    def __init__(self, seen: Usage | None = None, error: Exception | None = None, hangs: bool = False) -> None:
        self.seen, self.error, self.hangs = seen, error, hangs
        self.calls = 0

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        assert progress is not None
        self.calls += 1
        if self.seen:
            progress.usage += self.seen
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return DRAWS

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        return 100, True

    async def aclose(self) -> None:
        pass


async def test_draws_are_priced_and_settled_to_account_role_and_progress() -> None:
    account, progress = Account("run", Limits()), Progress(Usage(calls=4))
    with scope(account=account, role="verifier"):
        draws = await Metered(Raw(), PRICE).generate(ASKED, progress)
    assert tuple(d.usage.money for d in draws) == pytest.approx(MONEY)
    assert draws[0].usage.cached_tokens == 40
    total = draws[0].usage + draws[1].usage
    assert account.spent == account._roles["verifier"].settled == total
    assert progress.usage == Usage(calls=4) + total
    assert account.booked_tokens == 0


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        (Limits(tokens=200), True),
        (Limits(tokens=199), False),
        (Limits(money=0.0012), True),
        (Limits(money=0.00119), False),
        (Limits(roles={"policy": RoleLimits(tokens=199)}), False),
        (Limits(roles={"verifier": RoleLimits(tokens=199)}), True),
    ],
)
async def test_the_worst_case_is_reserved_before_anything_is_sent(limits: Limits, fits: bool) -> None:
    raw, account = Raw(), Account("run", limits)
    with scope(account=account):
        if fits:
            await Metered(raw, PRICE).generate(ASKED)
        else:
            with pytest.raises(BudgetRefused):
                await Metered(raw, PRICE).generate(ASKED)
    assert raw.calls == fits
    assert account.booked_tokens == 0


async def test_calls_in_flight_are_booked() -> None:
    raw, account = Raw(hangs=True), Account("run", Limits(tokens=599))
    with scope(account=account):
        tasks = [asyncio.create_task(Metered(raw, PRICE).generate(ASKED)) for _ in range(3)]
        await until(lambda: raw.calls == 2 and tasks[2].done())
        assert account.booked_tokens == 400
        assert isinstance(tasks[2].exception(), BudgetRefused)
        for task in tasks[:2]:
            task.cancel()
        await asyncio.wait(tasks)
    assert (account.booked_tokens, account.spent) == (0, Usage())


@pytest.mark.parametrize("seen", [None, Usage(calls=1), Usage(100, 7, calls=1, exact=False)])
async def test_a_failed_try_costs_a_call_and_what_was_seen(seen: Usage | None) -> None:
    account, progress = Account("run", Limits()), Progress(Usage(calls=1, completion_tokens=5))
    with scope(account=account), pytest.raises(BackendError):
        await Metered(Raw(seen, BackendError("no")), PRICE).generate(ASKED, progress)
    assert account.spent.calls == 1
    assert account.spent.tokens == (seen.tokens if seen else 0)
    assert progress.usage == Usage(calls=1, completion_tokens=5) + account.spent
    if seen and seen.tokens:
        assert account.spent.money == pytest.approx((100 * 2 + 7 * 10) / 1e6)
        assert not account.spent.exact


async def test_a_cancelled_call_is_settled_by_what_was_streamed(server: Server) -> None:
    server.behaviour.length, server.behaviour.token_delay_seconds = 100_000, 0.001
    account = Account("run", Limits(tokens=1_000_000))
    backend = Metered(build(Options(url=server.url, model="m")), PRICE)
    with scope(account=account):
        task = asyncio.create_task(backend.generate(Request(prompt="Go", max_tokens=100_000)))
        await until(lambda: server.seen.tokens > 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: server.seen.in_flight == 0)
    await backend.aclose()
    assert account.booked_tokens == 0
    assert 10 < account.spent.completion_tokens <= server.seen.tokens
    assert not account.spent.exact
    assert account.spent.money > 0


@pytest.mark.parametrize("cached", [None, 0.0, 3.0])
def test_a_price_is_for_what_was_used_and_its_bound_never_below(cached: float | None) -> None:
    price, used = Price(prompt=2.0, cached=cached, completion=10.0), Usage(100, 20, 40, 5, 2, exact=False)
    money = (60 * 2 + 40 * (2.0 if cached is None else cached) + 20 * 10) / 1e6
    assert price.of(used) == replace(used, money=pytest.approx(money))
    assert price.bound(used).money == pytest.approx((100 * max(2.0, cached or 0.0) + 20 * 10) / 1e6)
    assert price.bound(used).money >= price.of(used).money
    assert (price.free, Price().free, Price(cached=0.0).free) == (False, True, True)


async def test_our_own_bugs_leave_no_booking_behind() -> None:
    account = Account("run", Limits())
    with scope(account=account), pytest.raises(ZeroDivisionError):
        await Metered(Raw(error=ZeroDivisionError()), PRICE).generate(ASKED)
    assert (account.booked_tokens, account.spent) == (0, Usage())


async def test_without_an_account_and_a_price_nothing_changes() -> None:
    assert await Metered(Raw(), Price()).generate(ASKED) is DRAWS
