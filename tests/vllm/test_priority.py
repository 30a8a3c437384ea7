"""Priorities on real servers: a call passes those that wait, or is overlooked, by how the server was started.

Each mass call fills the server (32 sequences at once), so that the others wait.
"""

from __future__ import annotations

import asyncio

import pytest

from branchwise.orchestrator.backends.vllm_server import Options, VLLMServer, build
from branchwise.orchestrator.core.request import Request
from tests.server import until
from tests.vllm.server import Server

PROMPT = "47+38*3\n"
MASS, AT_ONCE = 4, 32


async def order_of_ends(server: Server) -> list[str]:
    """Who ended in which order, where the urgent call was sent last."""
    ended: list[str] = []

    async def call(backend: VLLMServer, request: Request, name: str) -> None:
        await backend.generate(request)
        ended.append(name)

    endless = {"ignore_eos": True}
    mass = build(Options(url=server.url, model=server.name, priority=1, extra=endless))
    urgent = build(Options(url=server.url, model=server.name, priority=0))
    try:
        calls = [
            asyncio.create_task(call(mass, Request(prompt=PROMPT, max_tokens=200, n=AT_ONCE, seed=k), f"mass {k}"))
            for k in range(MASS)
        ]
        await until(lambda: bool(ended) or server.metric("vllm:num_requests_waiting") >= AT_ONCE * (MASS - 1))
        calls.append(asyncio.create_task(call(urgent, Request(prompt=PROMPT, max_tokens=24, seed=1), "urgent")))
        await asyncio.gather(*calls)
    finally:
        await mass.aclose()
        await urgent.aclose()
    return ended


async def test_an_urgent_call_passes_those_that_wait(policy: Server, note: list[str]) -> None:
    ended = await order_of_ends(policy)
    note.append(f"--scheduling-policy priority: of {MASS - 1} calls that waited, an urgent one passed "
                f"{min(MASS - 1, MASS - ended.index('urgent'))}")  # fmt: skip
    assert ended.index("urgent") < MASS - 1


async def test_without_the_policy_it_is_overlooked(labels: Server, note: list[str]) -> None:
    ended = await order_of_ends(labels)
    note.append(
        f"without it, the urgent call was taken all the same, and ended after {ended.index('urgent')} of {MASS}"
    )
    assert ended[-1] == "urgent"


@pytest.mark.parametrize("priority", [-5, 5])
async def test_numbers_are_given_under_a_priority_too(outcome: Server, priority: int) -> None:
    backend = build(Options(url=outcome.url, model=outcome.name, runner="pooling", priority=priority))
    (draw,) = await backend.generate(Request(prompt=PROMPT, pooling="classify", max_tokens=0))
    await backend.aclose()
    assert len(draw.values) == 1
