"""A server that is away: calls wait for it together, pay nothing meanwhile, and not for ever."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from branchwise.orchestrator.backends.limiting import Limited
from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.backends.outage import CAP_SECONDS, Outage
from branchwise.orchestrator.backends.retrying import Retrying
from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.errors import BackendError, ConnectionLost, Suspended, Unavailable, Unreachable
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import read_workflow
from tests.backends.test_retrying import ASKED, DRAWS, Failing
from tests.server import Server, until

AWAY = Unreachable("nobody listens", retryable=True)
SAID = Unavailable("HTTP 503", retryable=True)
BUSY = BackendError("busy", retryable=True)


class Time:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Dropping(Failing):
    """It takes ten seconds to see that there is no connection."""

    time = Time()

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        self.time.now += 10
        return await super().generate(request, progress)


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


async def test_a_server_that_is_said_to_be_away_is_waited_for() -> None:
    raw = Failing()
    backend, time = waiting(raw, 60)
    progress = Progress()
    await backend.generate(ASKED)
    raw.errors, raw.counts = [SAID] * 8, False
    assert await backend.generate(ASKED, progress) == DRAWS
    assert time.pauses == [0.25, 0.5, 1, 2, 4, CAP_SECONDS, CAP_SECONDS, CAP_SECONDS]
    assert progress.usage.calls == 0


async def test_a_call_that_alone_is_told_so_uses_up_its_tries() -> None:
    class Choosy(Failing):
        """It refuses one call, and answers another before the next."""

        async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
            if request != ASKED:
                return DRAWS
            await backend.generate(replace(ASKED, seed=2))
            raise SAID

    backend, time = waiting(Choosy(), 300, retries=2)
    suspended: list[str] = []
    backend._outage.suspend = suspended.append
    with pytest.raises(Unavailable):
        await backend.generate(ASKED)
    assert (len(time.pauses), suspended) == (2, [])


async def test_patience_has_an_end_after_which_it_costs_tries() -> None:
    raw = Failing()
    backend, time = waiting(raw, 10, retries=1)
    await backend.generate(ASKED)
    raw.errors = [AWAY] * 100
    for _ in range(2):
        with pytest.raises(Unreachable):
            await backend.generate(ASKED)
    assert sum(time.pauses[:6]) == 10
    assert time.now <= 10 + 2 * 0.25
    assert raw.calls == 1 + 6 + 2 + 2  # at once; after 0.25 to 12.75 s; two tries; two tries


async def test_time_goes_on_only_while_somebody_waits() -> None:
    raw = Failing()
    backend, time = waiting(raw, 10)
    await backend.generate(ASKED)
    for _ in range(3):
        raw.errors = [AWAY, asyncio.CancelledError()]
        with pytest.raises(asyncio.CancelledError):
            await backend.generate(ASKED)
        time.now += 3600
    raw.errors = [AWAY] * 100
    with pytest.raises(Unreachable):
        await backend.generate(ASKED)
    assert time.pauses == [0.25, 0.5, 1, 2, 4, 10 - 7.75]


async def test_a_host_that_drops_what_is_sent_uses_up_patience_while_it_is_tried() -> None:
    raw = Dropping()
    backend, time = waiting(raw, 60)
    raw.time = time
    await backend.generate(ASKED)
    for patience in (60, 0):
        began = time.now
        raw.errors = [AWAY] * 100
        with pytest.raises(Unreachable):
            await backend.generate(ASKED)
        assert patience + 10 <= time.now - began <= patience + 20  # the first try, and the last


async def test_what_is_away_for_good_is_not_waited_for() -> None:
    raw = Failing()
    backend, time = waiting(raw, 300, retries=4)
    await backend.generate(ASKED)
    raw.errors = [Unreachable("it has died"), Unreachable("it has died")]
    with pytest.raises(Unreachable):
        await backend.generate(ASKED)
    backend._outage.suspend = (told := list[str]()).append
    with pytest.raises(Suspended, match="it has died"):
        await backend.generate(ASKED)
    assert (time.pauses, told) == ([], ["it has died"])


async def test_a_server_that_never_answered_costs_tries() -> None:
    backend, time = waiting(Failing(*[AWAY] * 100), 1000, retries=2)
    with pytest.raises(Unreachable):
        await backend.generate(ASKED)
    assert len(time.pauses) == 2


async def test_an_answer_ends_the_outage() -> None:
    raw = Failing()
    backend, time = waiting(raw, 5, retries=3)
    for _ in range(10):  # outages of two seconds each, below the patience
        await backend.generate(ASKED)
        raw.errors = [AWAY] * 3 + [BUSY]
        assert await backend.generate(ASKED) == DRAWS
    assert time.now > 15


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


async def test_a_refusal_does_not_make_a_wrong_address_one_to_wait_for() -> None:
    raw = Failing(BackendError("labels are not known here"))
    backend, time = waiting(raw, 300)
    for error in (BackendError, Unreachable):
        raw.errors = raw.errors or [AWAY]
        with pytest.raises(error):
            await backend.generate(ASKED)
    assert time.pauses == []


async def test_a_call_that_kills_its_server_uses_up_its_tries(server: Server) -> None:
    server.open.clear()  # it is read, and never answered
    raw = build(Options(url=server.url, model="m"))
    outage = Outage(60)
    outage.end()
    account = Account("run", Limits(calls=100))
    backend = Retrying(Metered(raw, Price()), 1, random.Random(0), lambda seconds: asyncio.sleep(0), outage)

    async def killed() -> None:
        for tries in (1, 2):
            await until(lambda: server.seen.calls == tries)  # noqa: B023 - awaited here
            await server.stop()
            await asyncio.sleep(0.05)
            await server.start()

    with scope(account=account):
        killer = asyncio.create_task(killed())
        with pytest.raises(ConnectionLost):
            await backend.generate(ASKED)
    await killer
    await raw.aclose()
    assert (server.seen.calls, account.spent.calls) == (2, 2)


async def test_a_call_that_kills_a_server_which_is_back_at_once_uses_up_its_tries() -> None:
    read = 0

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        read += 1
        writer.close()

    account = Account("run", Limits(calls=100))
    async with await asyncio.start_server(die, "127.0.0.1", 0) as dying:
        raw = build(Options(url=f"http://127.0.0.1:{dying.sockets[0].getsockname()[1]}/v1", model="m"))
        backend = Retrying(Metered(raw, Price()), 1, random.Random(0))
        with scope(account=account), pytest.raises(ConnectionLost):
            await backend.generate(ASKED)
        await raw.aclose()
    assert (read, account.spent.calls) == (2, 2)


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_call_that_is_cancelled_or_out_of_time_while_it_connects_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    connecting = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        connecting.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(aiohttp.resolver.DefaultResolver, "resolve", never)
    raw = build(Options(url="http://away/v1", model="m", timeout_seconds=60 if cancelled else 0.1))
    account = Account("run", Limits())
    with scope(account=account):
        task = asyncio.create_task(Metered(raw, Price()).generate(ASKED))
        await connecting.wait()
        if cancelled:
            task.cancel()
        with pytest.raises(asyncio.CancelledError if cancelled else Unreachable):
            await task
    await raw.aclose()
    assert account.spent.calls == 0


VOTE = {"kind": "search", "policy": {"kind": "solver", "model": "m"}, "algorithm": {"kind": "best_of_n", "n": 4}}


async def solved(server: Server, out: Path | None, stops_after: int = 100) -> list[Result]:
    """The results of a vote on twelve sums; the server is gone after so many."""
    model = {"kind": "openai", "url": server.url, "model": "m", "outage_seconds": 0.5, "retries": 2}
    plan = {"models": {"m": model}, "nodes": {"answer": VOTE | {"select": "majority"}}}
    problems, settings = as_task([f"{k} + 2" for k in range(12)]), Settings(out=out, concurrency=2)
    results: list[Result] = []
    async with open_session(read_workflow(plan, {}, Path()), problems, settings) as session:
        async for result in session.results():
            results.append(result)
            if len(results) == stops_after:
                await server.stop()
    return results


async def test_a_run_on_record_stops_where_its_server_stays_away_and_goes_on_without_a_loss(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(Suspended, match=r"has been away for \d+ s"):
        await solved(server, tmp_path, stops_after=4)
    with pytest.raises(Suspended, match="Cannot connect"):  # it never answered this time
        await solved(server, tmp_path)
    await server.start()
    results = await solved(server, tmp_path)
    assert len(results) == 12
    assert not any(result.failures for result in results)
    assert server.seen.as_json()["duplicates"] == 0


async def test_without_a_record_to_go_on_with_candidates_are_lost(server: Server) -> None:
    results = await solved(server, None, stops_after=4)
    assert len(results) == 12
    assert all(result.failures for result in results[-6:])


async def test_models_of_one_server_share_its_outage() -> None:
    plan = {
        "models": {
            name: {"kind": "openai", "url": url, "model": name}
            for name, url in {"a": "http://h:1/v1", "b": "http://h:1/v1", "c": "http://h:2/v1"}.items()
        },
        "nodes": {
            name: {"kind": "agent", "agent": {"kind": "solver", "model": name}, "next": then}
            for name, then in {"a": "b", "b": "c", "c": "end"}.items()
        },
    }
    async with open_session(read_workflow(plan, {}, Path()), as_task([problem("1+2")]), Settings()) as session:
        a, b, c = (session.run.models[name]._backend._outage for name in "abc")  # type: ignore[attr-defined]
    assert a is b
    assert a is not c
