"""Back-off: only what may work later, no slot held meanwhile, every try counted once."""

from __future__ import annotations

import asyncio
import random

import pytest

from branchwise.orchestrator.backends.limiting import Limited
from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.backends.retrying import CAP_SECONDS, Retrying
from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.errors import BackendError, BudgetRefused, ContextOverflow
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.usage import Usage
from tests.server import Server, until

ASKED = Request(messages=(user("Go"),), seed=1)
DRAWS = (Draw("x", "end", Usage(3, 2, calls=1)),)


class Failing:
    """A backend that raises these errors one after another and then answers."""

    identity = Identity("failing")
    capabilities = Capabilities()

    def __init__(self, *errors: Exception, counts: bool = True) -> None:
        self.errors = list(errors)
        self.counts = counts
        self.calls = 0

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        assert progress is not None
        self.calls += 1
        if self.counts:
            progress.usage += Usage(calls=1)
        if self.errors:
            raise self.errors.pop(0)
        if self.counts:
            progress.usage += Usage(3, 2)
        return DRAWS

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        return 1, True

    async def aclose(self) -> None:
        pass


class Sleeper:
    """A sleep that only takes notes."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


def busy(retry_after_seconds: float | None = None) -> BackendError:
    return BackendError("busy", retryable=True, retry_after_seconds=retry_after_seconds)


def retrying(raw: Failing, retries: int = 4) -> tuple[Retrying, Sleeper]:
    sleeper = Sleeper()
    return Retrying(raw, retries, random.Random(0), sleeper), sleeper


async def test_it_tries_again_and_backs_off_longer_each_time() -> None:
    backend, sleeper = retrying(Failing(*(busy() for _ in range(30))), retries=30)
    assert await backend.generate(ASKED) == DRAWS
    ceilings = [min(CAP_SECONDS, 0.25 * 2**k) for k in range(30)]
    assert all(0 <= pause <= ceiling for pause, ceiling in zip(sleeper.pauses, ceilings, strict=True))
    assert max(sleeper.pauses) > 10
    assert len(set(sleeper.pauses)) == 30


@pytest.mark.parametrize(
    "error", [BackendError("bad request"), ContextOverflow("long"), BudgetRefused("run", "calls", 1, 2)]
)
async def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    raw = Failing(error)
    backend, sleeper = retrying(raw)
    with pytest.raises(type(error)):
        await backend.generate(ASKED)
    assert (raw.calls, sleeper.pauses) == (1, [])


async def test_the_last_error_is_raised_when_the_tries_are_used_up() -> None:
    errors = [BackendError(f"no {k}", retryable=True) for k in range(5)]
    raw = Failing(*errors)
    with pytest.raises(BackendError, match="no 2"):
        await retrying(raw, retries=2)[0].generate(ASKED)
    assert raw.calls == 3


async def test_retry_after_is_waited_for_unless_it_is_too_long() -> None:
    backend, sleeper = retrying(Failing(busy(5.0), busy(60.0)))
    await backend.generate(ASKED)
    assert 5.0 <= sleeper.pauses[0] <= 5.25
    assert 60.0 <= sleeper.pauses[1] <= 60.5
    backend, sleeper = retrying(Failing(busy(3600.0)))
    with pytest.raises(BackendError):
        await backend.generate(ASKED)
    assert sleeper.pauses == []


@pytest.mark.parametrize("counts", [True, False])
async def test_progress_counts_every_try_and_the_draws_only_the_last(counts: bool) -> None:
    progress = Progress(Usage(calls=10))
    backend, _ = retrying(Failing(busy(), busy(), counts=counts))
    draws = await backend.generate(ASKED, progress)
    assert draws[0].usage.calls == 1
    assert progress.usage.calls == (13 if counts else 12)


async def test_a_cancelled_back_off_stops_at_once() -> None:
    raw, waiting = Failing(busy()), asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(Retrying(raw, 4, random.Random(0), sleep).generate(ASKED))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert raw.calls == 1


async def test_no_slot_is_held_in_back_off() -> None:
    sleeping, gate = 0, asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal sleeping
        sleeping += 1
        await gate.wait()

    raw = Failing(*(busy() for _ in range(20)))
    limited = Limited(raw, 2)
    backend = Retrying(limited, 4, random.Random(0), sleep)
    tasks = [asyncio.create_task(backend.generate(ASKED)) for _ in range(20)]
    await until(lambda: sleeping == 20)  # with a slot each, only two could ever be here
    assert limited.in_flight == 0
    gate.set()
    await asyncio.gather(*tasks)
    assert raw.calls == 40


async def test_a_fifth_of_all_requests_failing_costs_no_answer(server: Server) -> None:
    server.behaviour.fail = 0.2
    server.open.clear()

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    account = Account("run", Limits(calls=10_000))
    raw = build(Options(url=server.url, model="m"))
    backend = Retrying(Limited(Metered(raw, Price()), 16), 12, random.Random(0), at_once)
    with scope(account=account):
        requests = [Request(messages=(user("Go"),), seed=k) for k in range(320)]
        tasks = [asyncio.create_task(backend.generate(request)) for request in requests]
        await until(lambda: server.seen.in_flight == 16)
        server.open.set()
        draws = await asyncio.gather(*tasks)
    await backend.aclose()
    assert len(draws) == 320
    assert server.seen.failed > 40
    assert server.seen.calls == 320 + server.seen.failed == account.spent.calls
    assert server.seen.peak == 16
    assert account.booked_tokens == 0
    assert account.spent.completion_tokens == server.seen.tokens == sum(d[0].usage.completion_tokens for d in draws)
    assert server.seen.as_json()["duplicates"] == 0


async def test_each_first_attempt_failing_is_survived_with_one_retry(server: Server) -> None:
    server.behaviour.fail, server.behaviour.fail_by = 1.0, "attempt"
    raw = build(Options(url=server.url, model="m"))
    backend = Retrying(raw, 1, random.Random(0), Sleeper())
    progress = Progress()
    (draw,) = await backend.generate(ASKED, progress)
    await backend.aclose()
    assert (draw.usage.calls, progress.usage.calls, server.seen.calls) == (1, 2, 2)
    assert server.seen.as_json()["repeats_how_often"] == [2]


async def test_a_restart_of_the_server_in_mid_run_loses_nothing(server: Server) -> None:
    server.behaviour.latency_seconds = 0.02
    raw = build(Options(url=server.url, model="m"))
    backend = Retrying(Limited(raw, 8), 200, random.Random(0), lambda seconds: asyncio.sleep(0.005))
    requests = [Request(messages=(user("Go"),), seed=k) for k in range(60)]
    tasks = [asyncio.create_task(backend.generate(request)) for request in requests]
    await until(lambda: server.seen.answered >= 10)
    await server.stop()
    await asyncio.sleep(0.02)
    await server.start()
    assert len(await asyncio.gather(*tasks)) == 60
    await backend.aclose()
