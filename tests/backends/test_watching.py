"""One server: how long it is away, how full it is, what is sent to it, and what of its key comes out."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.backends.openai_http import LARGE_BODY_BYTES, Connection
from branchwise.orchestrator.backends.outage import Outage
from branchwise.orchestrator.backends.vllm_health import Watch
from branchwise.orchestrator.backends.vllm_replicas import Replica, Replicas
from branchwise.orchestrator.core.errors import Unreachable
from branchwise.orchestrator.core.request import Request
from tests.server import Server, until
from tests.vllm_like import VLLMLike

AWAY = Unreachable("nobody listens", retryable=True)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_a_call_that_waits_again_and_again_is_one_that_waits(tries: int) -> None:
    now = 0.0
    outage = Outage(10, asyncio.sleep, lambda: now)
    outage.end()
    for again in range(tries):
        assert outage.met(AWAY, bool(again))
        now += 1
    outage.leave()
    now += 3600  # nobody waits: this takes no patience
    assert outage.met(AWAY, False)
    now += 10 - tries
    assert not outage.met(AWAY, True)


async def test_calls_keep_off_a_replica_while_its_own_metrics_say_that_it_is_full() -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(VLLMLike()) for _ in range(2)]
        options = Options(url="http://unused", model="m")
        pool = Replicas([Replica(Connection(server.url.removesuffix("/v1"), options)) for server in servers])
        home, other = pool.choose("p"), next(each for each in pool.all if each is not pool.choose("p"))
        server = servers[pool.all.index(home)]
        watch = Watch(pool.all, 0.001)
        watch.start()
        for waiting, cache_usage, chosen in ((3, 0.99, other), (3, 0.5, home), (3, 1.0, other), (0, 1.0, home)):
            server.waiting, server.cache_usage = waiting, cache_usage
            seen = server.looks
            await until(lambda seen=seen: server.looks > seen + 2)  # type: ignore[misc]
            assert pool.choose("p") is chosen
            assert not other.congested
        await watch.aclose()
        for replica in pool.all:
            await replica.connection.aclose()


@pytest.mark.parametrize("beyond", [-1, 0, 1, LARGE_BODY_BYTES])
async def test_a_body_of_any_size_is_sent_as_it_is(server: Server, beyond: int) -> None:
    connection = Connection(server.url, Options(url=server.url, model="m"))
    body = {"model": "m", "prompt": "", "max_tokens": 1}
    body["prompt"] = "a" * (LARGE_BODY_BYTES + beyond - len(json.dumps(body)))
    await connection.post("completions", json.dumps(body).encode())
    assert server.seen.last_body == body
    await connection.aclose()


async def test_a_large_prompt_is_answered(server: Server) -> None:
    backend = build(Options(url=server.url, model="m"))
    (draw,) = await backend.generate(Request(prompt="a" * (LARGE_BODY_BYTES + 1), seed=1))
    assert draw.text
    await backend.aclose()


@pytest.mark.parametrize("key", ["sk-plain-0123456789", 'sk-"quoted"-0123', "sk-back\\slash-0123", 'both-"\\-0123'])
def test_neither_a_key_nor_its_form_in_json_comes_out(key: str) -> None:
    connection = Connection("http://here", Options(url="http://here", model="m", api_key=key))
    said = {"error": {"message": f"the key {key} is not known"}}
    assert connection.scrub(f"the key {key} is not known") == "the key *** is not known"
    assert json.loads(connection.scrub(json.dumps(said))) == {"error": {"message": "the key *** is not known"}}
