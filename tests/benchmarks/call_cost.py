"""CPU milliseconds a call: our stack of backend and wrappers against a bare aiohttp client doing the same.

The server runs in a process of its own, so that only the client's CPU is counted.

    python -m tests.benchmarks.call_cost --calls 1000 --in-flight 64 --latency 0.05
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import uvloop

from branchwise.orchestrator.backends.limiting import Limited
from branchwise.orchestrator.backends.metering import Metered
from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.backends.retrying import Retrying
from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.scope import scope

Call = Callable[[int], Awaitable[object]]


async def crowd(call: Call, calls: int, in_flight: int) -> None:
    """Make ``calls`` calls, ``in_flight`` at a time."""
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def bare(url: str, streaming: bool, calls: int, in_flight: int) -> float:
    """CPU seconds of aiohttp alone: post a dict, read the bytes, parse (or, streamed, skim) them."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(number: int) -> object:
            body = {
                "model": "m",
                "messages": [{"role": "user", "content": f"Problem {number}"}],
                "seed": number,
                "stream": streaming,
            }
            async with session.post(f"{url}/chat/completions", json=body) as response:
                if not streaming:
                    return json.loads(await response.read())["choices"][0]["message"]["content"]
                return [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: {")]

        await crowd(call, in_flight, in_flight)
        begin = time.process_time()
        await crowd(call, calls, in_flight)
        return time.process_time() - begin


async def ours(url: str, streaming: bool, calls: int, in_flight: int) -> float:
    """CPU seconds of the stack that a run uses (without the journal), under a budget."""
    options = Options(url=url, model="m", streaming=streaming)
    stack = Retrying(Limited(Metered(build(options), Price()), in_flight), 4, random.Random(0))

    async def call(number: int) -> object:
        return await stack.generate(Request(messages=(user(f"Problem {number}"),), seed=number))

    with scope(account=Account("run", Limits(tokens=10**9))):
        await crowd(call, in_flight, in_flight)
        begin = time.process_time()
        await crowd(call, calls, in_flight)
        cost = time.process_time() - begin
    await stack.aclose()
    return cost


def main() -> None:
    """Print a table: least of several rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", default="0.05")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--server", nargs="*", default=[], help="Further options of tests.server.")
    o = parser.parse_args()
    command = [sys.executable, "-m", "tests.server", "--latency", o.latency, *(f"--{x}" for x in o.server)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            for streaming in (False, True):
                for client in (bare, ours):
                    costs = [uvloop.run(client(url, streaming, o.calls, o.in_flight)) for _ in range(o.rounds)]
                    shown = ", ".join(f"{1000 * cost / o.calls:.3f}" for cost in sorted(costs))
                    print(f"{client.__name__:5} {'streamed' if streaming else 'whole':9} ms a call: {shown}")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
