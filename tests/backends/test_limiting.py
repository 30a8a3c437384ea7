"""The limiter: its peak is the limit, its order is first come first served, nobody's slot is lost."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from branchwise.orchestrator.backends.limiting import Limited
from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.backends.scheduling import Slots
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.usage import Usage
from tests.server import Server, until

DRAWS = (Draw("x", "end", Usage(1, 1, calls=1)),)


class Gated:
    """A backend whose calls end when they are let go, or with the error that is set."""

    identity = Identity("gated")
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.running: list[int] = []
        self.order: list[int] = []
        self.times: list[float] = []
        self.peak = 0
        self.error: BackendError | None = None

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        assert request.seed is not None
        self.order.append(request.seed)
        self.times.append(time.monotonic())
        self.running.append(request.seed)
        self.peak = max(self.peak, len(self.running))
        try:
            await self.open.wait()
            if self.error:
                raise self.error
            return DRAWS
        finally:
            self.running.remove(request.seed)

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        return 1, True

    async def aclose(self) -> None:
        self.open.set()


def asked(seed: int) -> Request:
    return Request(messages=(user("Go"),), seed=seed)


@pytest.mark.parametrize(("limit", "calls"), [(1, 12), (4, 80), (32, 232)])
async def test_a_host_name_and_more_waiting_than_threads(server: Server, limit: int, calls: int) -> None:
    server.open.clear()
    backend = Limited(build(Options(url=server.url, model="m")), limit)
    assert "localhost" in server.url
    tasks = [asyncio.create_task(backend.generate(asked(k))) for k in range(calls)]
    await until(lambda: server.seen.in_flight == limit)
    server.open.set()
    await asyncio.gather(*tasks)
    await backend.aclose()
    assert server.seen.calls == calls
    assert server.seen.peak == limit
    assert server.seen.as_json()["connections"] <= limit


async def test_counts_can_be_read() -> None:
    raw = Gated()
    backend = Limited(raw, 3)
    tasks = [asyncio.create_task(backend.generate(asked(k))) for k in range(10)]
    await until(lambda: len(raw.running) == 3)
    assert (backend.in_flight, backend.waiting) == (3, 7)
    tasks[9].cancel()
    await until(lambda: backend.waiting == 6)
    raw.open.set()
    await asyncio.wait(tasks)
    assert (backend.in_flight, backend.waiting) == (0, 0)
    assert raw.order == list(range(9))


async def test_cancelled_waiters_neither_leak_nor_steal() -> None:
    rng = random.Random(0)
    for _ in range(200):
        limit = rng.randint(1, 3)
        slots, held, order = Slots(limit), 0, []

        async def work(number: int, slots: Slots = slots, limit: int = limit, order: list[int] = order) -> None:
            nonlocal held
            await slots.acquire()
            try:
                order.append(number)
                held += 1
                assert held <= limit
                for _ in range(rng.randint(0, 3)):
                    await asyncio.sleep(0)
            finally:
                held -= 1
                slots.release()

        tasks = [asyncio.create_task(work(k)) for k in range(12)]
        for _ in range(rng.randint(0, 20)):
            if rng.random() < 0.4:
                rng.choice(tasks).cancel()
            else:
                await asyncio.sleep(0)
        await asyncio.wait(tasks)
        assert order == sorted(order)
        assert slots.waiting == 0
        for _ in range(limit):  # all slots are there again, and no more than that
            await asyncio.wait_for(slots.acquire(), 1)
        extra = asyncio.create_task(slots.acquire())
        await asyncio.sleep(0)
        assert not extra.done()
        extra.cancel()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.lists(st.tuples(st.sampled_from("sctr"), st.integers(0, 9)), max_size=40))
@example(2, [("s", 0), ("s", 0), ("s", 0), ("t", 0), ("r", 0), ("s", 0)])
def test_any_history_of_starts_cancels_turns_and_ends_keeps_the_limit(
    limit: int, history: list[tuple[str, int]]
) -> None:
    """In order are those that wait, and those that find a place free: one may, while another wakes up in its own."""
    entered, at_once, after_waiting = list[int](), list[int](), list[int]()

    class Telling(Gated):
        async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
            assert request.seed is not None
            (at_once if entered[-1] == request.seed else after_waiting).append(request.seed)
            return await super().generate(request, progress)

    async def call(backend: Limited, number: int) -> tuple[Draw, ...]:
        entered.append(number)
        return await backend.generate(asked(number))

    async def live() -> None:
        raw = Telling()
        backend = Limited(raw, limit)
        tasks: list[asyncio.Task[tuple[Draw, ...]]] = []
        for action, which in history:
            if action == "s":
                tasks.append(asyncio.create_task(call(backend, len(tasks))))
            elif action == "c" and tasks:
                tasks[which % len(tasks)].cancel()
            elif action == "r":
                raw.open.set()
            else:
                await asyncio.sleep(0)
        raw.open.set()
        if tasks:
            await asyncio.wait(tasks)
        assert raw.peak <= limit
        assert at_once == sorted(at_once)
        assert after_waiting == sorted(after_waiting)
        assert (backend.in_flight, backend.waiting) == (0, 0)
        await asyncio.wait_for(asyncio.gather(*(call(backend, 99) for _ in range(limit))), 1)

    asyncio.run(live())


@pytest.mark.parametrize(("rate", "first_of_the_next", "window_seconds"), [(50, 50, 1.0), (12.5, 13, 1.04)])
async def test_the_rate_is_never_exceeded_in_a_window(
    rate: float, first_of_the_next: int, window_seconds: float
) -> None:
    raw = Gated()
    raw.open.set()
    backend = Limited(raw, 4, requests_per_second=rate)
    await asyncio.gather(*(backend.generate(asked(k)) for k in range(first_of_the_next + 1)))
    assert raw.order == list(range(first_of_the_next + 1))
    assert raw.times[first_of_the_next] - raw.times[0] > window_seconds - 0.1


async def test_one_caller_at_a_time_waits_on_the_throttle(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, at_once, peak = Gated(), 0, 0
    raw.open.set()
    backend = Limited(raw, 50, requests_per_second=1000)

    class Slow:
        async def acquire(self) -> None:
            nonlocal at_once, peak
            at_once += 1
            peak = max(peak, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    monkeypatch.setattr(backend, "_throttle", Slow())
    await asyncio.gather(*(backend.generate(asked(k)) for k in range(200)))
    assert peak == 1
    assert raw.order == list(range(200))


async def test_retry_after_holds_every_caller_in_order(server: Server) -> None:
    server.behaviour.limited, server.behaviour.retry_after = 1, "0.5"
    backend = Limited(build(Options(url=server.url, model="m")), 8)
    with pytest.raises(BackendError):
        await backend.generate(asked(0))
    refused = server.seen.arrivals[0]
    tasks = [asyncio.create_task(backend.generate(asked(k))) for k in range(20)]
    await until(lambda: backend.waiting == 20)
    tasks[0].cancel()  # the one that stands at the gate
    await asyncio.wait(tasks)
    await backend.aclose()
    assert server.seen.calls == 20
    assert all(arrival - refused >= 0.5 for arrival in server.seen.arrivals[1:])


async def test_a_failure_gives_the_slot_back() -> None:
    raw = Gated()
    raw.open.set()
    raw.error = BackendError("no", retryable=True)
    backend = Limited(raw, 1)
    for seed in range(3):
        with pytest.raises(BackendError):
            await backend.generate(asked(seed))
    raw.error = None
    assert await backend.generate(asked(3)) == DRAWS
