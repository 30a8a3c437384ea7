"""A server that fails, hangs, garbles, goes away and comes back; a judge that says NaN or nothing: what it costs.

tests/benchmarks/faults.py does the same with more problems and tells how long it takes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from branchwise.orchestrator.core.result import Result
from tests.benchmarks.works import ALL, BEST_OF_8, Work, mcts, solved, told
from tests.server import Server, until

WORKS = [replace(work, problems=5) for work in (BEST_OF_8, ALL[1], mcts(8, "ticket"), mcts(8, "arrival"))]
PATIENT: dict[str, Any] = {"first_byte_timeout_seconds": 0.5, "retries": 12}
every_work = pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)


@pytest.fixture
def faulty(server: Server) -> Server:
    behaviour = server.behaviour
    behaviour.tells_stop, behaviour.fail, behaviour.hang, behaviour.malformed = True, 0.2, 0.05, 0.02
    return server


def damage(results: Sequence[Result]) -> Counter[str]:
    """Failures by boundary."""
    return Counter(failure.boundary for result in results for failure in result.failures)


def lost(server: Server) -> int:
    """Requests that got no answer that could be used: refused, garbled, or given up by the client."""
    return server.seen.failed + server.seen.disconnects


@every_work
async def test_with_retries_nothing_is_lost(work: Work, faulty: Server) -> None:
    results = await solved(work, work.names(0), faulty.url, 16, **PATIENT)
    assert [result.answer is not None for result in results] == [True] * 5
    assert damage(results) == {}
    assert lost(faulty) > 0.1 * faulty.seen.calls
    assert faulty.seen.peak <= 16


@every_work
async def test_without_retries_each_fault_costs_one_draw_or_one_score(work: Work, faulty: Server) -> None:
    results = await solved(work, work.names(0), faulty.url, 16, first_byte_timeout_seconds=0.5, retries=0)
    assert [result.answer is not None for result in results] == [True] * 5
    found = damage(results)
    assert set(found) == {"backend", "reward"}
    assert found.total() == lost(faulty)
    assert found["backend"] == sum(candidate.failure is not None for r in results for candidate in told(r))


@every_work
async def test_a_server_that_restarts_costs_nothing(work: Work, server: Server) -> None:
    server.behaviour.tells_stop, server.behaviour.latency_seconds = True, 0.05
    two_tries_more = 2  # for the calls that are in flight when it goes; waiting until it is back costs none
    task = asyncio.create_task(solved(work, work.names(0), server.url, 16, retries=two_tries_more))
    for answers in (30, 60):
        await until(lambda: server.seen.answered >= answers)  # noqa: B023 - awaited here
        server.open.clear()
        await asyncio.sleep(2 * server.behaviour.latency_seconds)
        await until(lambda: server.seen.in_flight > 0)  # these are held, and lost
        await server.stop()
        server.open.set()
        await asyncio.sleep(1.0)
        await server.start()
    results = await task
    assert [result.answer is not None for result in results] == [True] * 5
    assert damage(results) == {}
    assert server.seen.disconnects > 0


@every_work
async def test_a_gateway_that_says_that_its_server_is_away_costs_no_call(work: Work, server: Server) -> None:
    server.behaviour.tells_stop, server.behaviour.latency_seconds = True, 0.02
    one_try_more = 1  # for the calls that were waiting when others still got answers
    task = asyncio.create_task(solved(work, work.names(0), server.url, 16, retries=one_try_more))
    await until(lambda: server.seen.answered >= 30)
    server.behaviour.status = 503
    await asyncio.sleep(1.0)
    server.behaviour.status = 0
    results = await task
    assert [result.answer is not None for result in results] == [True] * 5
    assert damage(results) == {}
    assert server.seen.failed > 0
    assert sum(result.usage.calls for result in results) == server.seen.answered


async def test_no_slot_is_held_in_back_off(server: Server) -> None:
    server.behaviour.tells_stop, server.behaviour.status = True, 503
    task = asyncio.create_task(solved(BEST_OF_8, BEST_OF_8.names(0)[:5], server.url, 1, retries=1000))
    await until(lambda: len(server.seen.asked) == 40)  # a slot held would keep all but one from being asked at all
    assert server.seen.peak == 1
    server.behaviour.status = 0
    assert all(result.answer is not None for result in await task)


@every_work
@pytest.mark.parametrize("fault", ["not_a_number", "mute"])
async def test_a_judge_that_says_nan_or_nothing_costs_one_score(work: Work, fault: str, server: Server) -> None:
    server.behaviour.tells_stop = True
    setattr(server.behaviour, fault, 0.2)
    results = await solved(work, work.names(0), server.url, 16)
    assert damage(results)["reward"] > 0
    for result in results:
        grown = told(result)
        unjudged = [candidate for candidate in grown if candidate.value is None]
        assert [failure.boundary for failure in result.failures] == ["reward"] * len(unjudged)
        assert all(candidate.failure is None for candidate in grown)
        assert result.value is not None
