"""Replicas: a tree stays where its prefixes are, nobody is overloaded, the dead are passed over and come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.backends import vllm_health
from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.stack import stacked
from branchwise.orchestrator.backends.vllm_health import Load, load_of
from branchwise.orchestrator.backends.vllm_replicas import Replica, Replicas
from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.draws import draw_key
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.journal.store import Journal
from tests.server import until
from tests.vllm_like import METRICS, VLLMLike

PROBLEMS = [f"p{number}" for number in range(200)]
ADAPTER = {"name": "solver", "path": "/adapters/solver"}


def replicas(count: int, cap: float = 1.25) -> Replicas:
    options = Options(url="http://h", model="m")
    return Replicas([Replica(Connection(f"http://h{number}", options)) for number in range(count)], cap)


def homes(pool: Replicas) -> dict[str, str]:
    return {problem: pool.choose(problem).address for problem in PROBLEMS}


@pytest.fixture
async def pair() -> AsyncIterator[tuple[VLLMLike, VLLMLike]]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(VLLMLike()), await stack.enter_async_context(VLLMLike())


def options_for(pair: tuple[VLLMLike, VLLMLike], **more: Any) -> Options:
    return Options(urls=[server.url for server in pair], model="m", health_seconds=0.01, **more)


def test_problems_stay_where_they_are_and_only_those_of_a_lost_replica_move() -> None:
    pool = replicas(4)
    before = homes(pool)
    assert homes(pool) == before
    assert all(20 < count < 90 for count in Counter(before.values()).values())
    pool.all[0].lose()
    after = homes(pool)
    assert {before[p] for p in PROBLEMS if after[p] != before[p]} == {pool.all[0].address}
    pool.all[0].out = False
    assert homes(pool) == before


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.floats(1.0, 3.0), st.text(max_size=5))
def test_law_nobody_gets_a_call_beyond_its_share(in_flight: list[int], cap: float, problem: str) -> None:
    pool = replicas(len(in_flight), cap)
    for replica, calls in zip(pool.all, in_flight, strict=True):
        replica.in_flight = calls
    chosen = pool.choose(problem)
    if len(in_flight) > 1:
        assert chosen.in_flight < cap * (1 + sum(in_flight)) / len(in_flight) + 1


def test_a_congested_replica_is_passed_over_unless_all_are() -> None:
    pool = replicas(2)
    home = pool.choose("p")
    home.congested = True
    other = pool.choose("p")
    assert other is not home
    other.congested = True
    assert pool.choose("p") is home


def test_where_all_are_lost_each_is_tried_in_turn() -> None:
    pool = replicas(3)
    for replica in pool.all:
        replica.lose()
    tried = []
    for _ in range(6):
        tried.append(pool.choose("p"))
        tried[-1].lose()
    assert tried == [*pool.all, *pool.all]


@given(st.lists(st.sampled_from(["http://a", "http://b", "http://c/v1"]), min_size=1, unique=True), st.integers(0, 9))
def test_law_routing_never_changes_the_keys_of_draws(urls: list[str], sibling: int) -> None:
    alone = Options(url="http://elsewhere", model="m").identity
    many = Options(urls=urls, model="m", load_cap=2.0, health_seconds=9.0).identity
    request = Request(prompt="p", seed=1)
    assert draw_key(alone, request, sibling) == draw_key(many, request, sibling)


def test_load_is_read_from_metrics_of_all_engines() -> None:
    text = METRICS % (2, 0.5) + METRICS.replace('engine="0"', 'engine="1"') % (1, 0.97)
    assert load_of(text) == Load(3, 0.97)
    assert load_of(text).congested
    assert load_of("no metrics\nvllm:num_requests_waiting{} NaN\n") == Load()
    assert load_of("vllm:num_requests_waiting 1e308\n" * 3).waiting > 1e308


async def test_a_replica_that_dies_costs_retries_and_no_problem(pair: tuple[VLLMLike, VLLMLike]) -> None:
    journal = Journal(None)
    options = options_for(pair, adapter=ADAPTER)
    backend = stacked(build(options), journal, options)
    seen: list[str] = []

    async def solve(problem: str, rounds: int) -> None:
        with scope(problem_id=problem):
            for seed in range(rounds):
                (draw,) = await backend.generate(Request(prompt="a" * int(problem[1:]), seed=seed))
                seen.append(draw.text)

    await asyncio.gather(*(solve(problem, 2) for problem in PROBLEMS[:20]))
    shares = [len(server.bodies("/v1/completions")) for server in pair]
    assert all(shares)
    await pair[0].stop()
    await asyncio.gather(*(solve(problem, 4) for problem in PROBLEMS[:20]))
    assert len(seen) == 120
    assert len(set(seen)) == 1
    await pair[0].start()
    await asyncio.sleep(0.1)
    await asyncio.gather(*(solve(problem, 6) for problem in PROBLEMS[:20]))
    assert len(pair[0].bodies("/v1/completions")) > shares[0]
    assert len(pair[0].bodies("/v1/load_lora_adapter")) == 2
    await backend.aclose()
    journal.close()


async def test_a_replica_that_is_not_healthy_gets_no_calls_until_it_is(pair: tuple[VLLMLike, VLLMLike]) -> None:
    pair[0].healthy = False
    backend = build(options_for(pair))

    async def answered_by_first() -> int:
        before = len(pair[0].bodies("/v1/completions"))
        for problem in PROBLEMS[:20]:
            with scope(problem_id=problem):
                await backend.generate(Request(prompt="1"))
        return len(pair[0].bodies("/v1/completions")) - before

    await answered_by_first()
    await asyncio.sleep(0.1)
    assert await answered_by_first() == 0
    pair[0].healthy = True
    await asyncio.sleep(0.1)
    assert await answered_by_first() > 0
    await backend.aclose()


async def test_a_defect_in_a_look_is_logged_and_ends_no_watch(
    pair: tuple[VLLMLike, VLLMLike], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = 0

    async def defective(connection: Connection) -> Load:
        nonlocal looks
        looks += 1
        if looks > 2:
            return Load(1, 1.0)
        raise ZeroDivisionError

    monkeypatch.setattr(vllm_health, "look", defective)
    backend = build(options_for(pair))
    await backend.generate(Request(prompt="1"))
    await until(lambda: all(replica.congested for replica in backend._replicas.all))
    assert [record.exc_info is not None for record in caplog.records if "can't be looked at" in record.message] == [
        True,
        True,
    ]
    await backend.aclose()


async def test_connections_are_closed_whatever_else_can_not_be(
    pair: tuple[VLLMLike, VLLMLike], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def defective() -> None:
        raise ZeroDivisionError

    backend = build(options_for(pair, adapter=ADAPTER))
    await backend.generate(Request(prompt="1"))
    await backend._watch.aclose()
    monkeypatch.setattr(backend._watch, "aclose", defective)
    with pytest.raises(ZeroDivisionError):
        await backend.aclose()
    assert sum(len(server.bodies("/v1/unload_lora_adapter")) for server in pair) == 1
    assert all(replica.connection._closed for replica in backend._replicas.all)


async def test_one_server_is_not_watched(pair: tuple[VLLMLike, VLLMLike]) -> None:
    backend = build(Options(url=pair[0].url, model="m", health_seconds=0.001))
    await backend.generate(Request(prompt="1"))
    await asyncio.sleep(0.05)
    assert pair[0].looks == 0
    await backend.aclose()


async def test_a_call_that_finds_its_replica_gone_goes_to_the_next_at_no_cost(
    pair: tuple[VLLMLike, VLLMLike],
) -> None:
    await pair[0].stop()
    backend = build(options_for(pair))
    account = Account("run", Limits(calls=100))
    with scope(account=account):
        metered = Metered(backend, Price())
        for number in range(20):  # half of them are at home on the one that is gone
            with scope(problem_id=f"p{number}", account=account):
                await metered.generate(Request(prompt="1+2=\n"))
    assert account.spent.calls == 20
    await backend.aclose()
