"""A server that is away: calls wait for it together, pay nothing meanwhile, and not for ever."""

from __future__ import annotations

import random

import pytest

from branchwise.orchestrator.backends.limiting import Limited
from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.outage import CAP_SECONDS, Outage
from branchwise.orchestrator.backends.retrying import Retrying
from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.errors import BackendError, ConnectionLost, Unreachable
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.scope import scope
from tests.backends.test_retrying import ASKED, DRAWS, Failing

AWAY = Unreachable("nobody listens", retryable=True)
BUSY = BackendError("busy", retryable=True)


class Time:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def waiting(raw: Failing, patience_seconds: float, retries: int = 0) -> tuple[Retrying, Time]:
    time = Time()
    outage = Outage(patience_seconds, time.sleep, lambda: time.now)
    return Retrying(raw, retries, random.Random(0), time.sleep, outage), time


async def test_waiting_uses_up_no_tries_and_grows_longer() -> None:
    raw = Failing()
    backend, time = waiting(raw, 60)
    await backend.generate(ASKED)
    raw.errors = [AWAY] * 8
    assert await backend.generate(ASKED) == DRAWS
    assert time.pauses == [0.25, 0.5, 1, 2, 4, CAP_SECONDS, CAP_SECONDS, CAP_SECONDS]


async def test_patience_has_an_end_after_which_it_costs_tries() -> None:
    raw = Failing()
    backend, time = waiting(raw, 10, retries=1)
    await backend.generate(ASKED)
    raw.errors = [AWAY] * 100
    for _ in range(2):
        with pytest.raises(Unreachable):
            await backend.generate(ASKED)
    assert 10 <= time.now <= 10 + CAP_SECONDS + 2 * 0.25
    assert raw.calls == 1 + 6 + 2 + 2  # at once; after 0.25 to 12.75 s; two tries; two tries


async def test_a_server_that_never_answered_costs_tries() -> None:
    backend, time = waiting(Failing(*[AWAY] * 100), 1000, retries=2)
    with pytest.raises(Unreachable):
        await backend.generate(ASKED)
    assert len(time.pauses) == 2


async def test_any_answer_ends_the_outage() -> None:
    raw = Failing()
    backend, time = waiting(raw, 5, retries=3)
    await backend.generate(ASKED)
    for _ in range(10):  # ten outages of four seconds, each below the patience
        raw.errors = [AWAY] * 4 + [BUSY]
        assert await backend.generate(ASKED) == DRAWS
    assert time.now > 35


async def test_what_was_lost_in_the_middle_ends_no_outage() -> None:
    raw = Failing()
    backend, time = waiting(raw, 60, retries=1)
    await backend.generate(ASKED)
    raw.errors = [AWAY, AWAY, ConnectionLost("in the middle", retryable=True), AWAY]
    assert await backend.generate(ASKED) == DRAWS
    assert time.pauses[:2] == [0.25, 0.5]
    assert time.pauses[-1] == 1  # where the outage had got to


async def test_what_was_not_sent_is_not_charged() -> None:
    account = Account("run", Limits(calls=10))
    raw = Failing()
    raw.counts = False
    time = Time()
    outage = Outage(60, time.sleep, lambda: time.now)
    backend = Retrying(Limited(Metered(raw, Price()), 1), 0, random.Random(0), outage=outage)
    with scope(account=account):
        await backend.generate(ASKED)
        raw.errors = [AWAY] * 5
        await backend.generate(ASKED)
    assert account.spent.calls == 2
