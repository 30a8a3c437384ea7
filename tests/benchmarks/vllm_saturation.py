"""Does a search keep a vLLM server as busy as a bare load generator that sends the same requests?

1. The search runs once; the requests that it sends are kept.
2. In turns, search and generator, each over a cold prefix cache where the server lets it be emptied
   (VLLM_SERVER_DEV_MODE=1): the generator sends the kept requests, in their order, as many at once as the search may.
   It knows no tree: it never waits for anything but a free place.
3. Tokens a second of both, by the server's own count of tokens generated; medians over the pairs.

A call that fails ends it, with the reason: nothing is tried again, or it would not be the same requests.

    python -m tests.benchmarks.vllm_saturation --url http://localhost:8000/v1 --model arithmetic-policy [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import aiohttp
import uvloop

from branchwise.orchestrator.api import solve_batch
from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.trajectory import Trajectory

BEST_OF_8 = {"kind": "best_of_n", "n": 8, "batch": 8}
SEARCHES: dict[str, dict[str, Any]] = {
    "best-of-8": {"algorithm": BEST_OF_8},
    "best-of-8, together": {"algorithm": BEST_OF_8, "together": True},
    "beam": {"algorithm": {"kind": "beam", "width": 2, "expansions": 4, "depth": 4}},
}
METRIC = re.compile(r"^vllm:generation_tokens_total(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """Where the server is, and what is done there."""

    url: str
    model: str
    search: str
    problems: int
    at_once: int
    max_tokens: int

    @property
    def root(self) -> str:
        """The server's address without /v1."""
        return self.url.rstrip("/").removesuffix("/v1")


@dataclass(frozen=True)
class Row:
    """Medians of one search. ``share``: the search's tokens a second of the generator's, median of the pairs'."""

    search: str
    pairs: int
    requests: int
    tokens: float
    tokens_per_second: float
    bare_tokens_per_second: float
    share: float


def length(trajectory: Trajectory) -> float:
    """A reward that costs nothing: more digits are better."""
    return min(1.0, sum(map(str.isdigit, trajectory.text)) / 100)


def workflow(plan: Plan) -> dict[str, Any]:
    """The search over completions."""
    served = {"kind": "vllm_server", "url": plan.url, "model": plan.model, "max_in_flight": plan.at_once,
              "retries": 0, "outage_seconds": 0}  # fmt: skip
    policy = {"kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n", "final": "never",
              "step_separator": "\n", "max_tokens": plan.max_tokens,
              "max_step_tokens": plan.max_tokens // 4}  # fmt: skip
    reward = {"kind": "rule", "callable": "tests.benchmarks.vllm_saturation:length"}
    node = {"kind": "search", "policy": policy, "reward": reward, "select": "naive", **SEARCHES[plan.search]}
    return {"models": {"policy": served}, "nodes": {"search": node}}


def problems(plan: Plan, number: int) -> list[Problem]:
    """Chains that differ from pair to pair."""
    return [
        problem(f"{11 + k % 80}+{k % 90 + 1}*{2 + number % 8}-{k % 60 + 3}", f"{number}-{k}")
        for k in range(plan.problems)
    ]


async def searched(plan: Plan, number: int) -> None:
    """The search, as anybody would run it; SystemExit where a call of it fails."""
    results = await solve_batch(problems(plan, number), workflow(plan), seed=number, concurrency=2 * plan.at_once)
    failed = [failure.message for result in results for failure in result.failures]
    if failed:
        raise SystemExit(f"{plan.search}: {len(failed)} calls failed, the first: {failed[0]}")


async def sent_bare(plan: Plan, bodies: list[tuple[str, bytes]]) -> None:
    """The same requests without a search."""
    waiting = iter(bodies)

    async def worker(session: aiohttp.ClientSession) -> None:
        for path, body in waiting:
            async with session.post(f"{plan.root}/{path}", data=body) as answer:
                text = await answer.text()
                if answer.status != 200:
                    raise SystemExit(f"{plan.root}/{path} answers {answer.status}: {text[:500]}")

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:
        await asyncio.gather(*(worker(session) for _ in range(plan.at_once)))


@contextmanager
def kept() -> Iterator[list[tuple[str, bytes]]]:
    """The bodies that are posted meanwhile, each with its path."""
    bodies: list[tuple[str, bytes]] = []
    ask = Connection.ask

    async def keeping(self: Connection, path: str, body: bytes, *rest: Any) -> None:
        bodies.append((path, body))
        await ask(self, path, body, *rest)

    with patch.object(Connection, "ask", keeping):
        yield bodies


def measured(plan: Plan, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Tokens that the server generated meanwhile, and the seconds."""
    empty_cache(plan)
    before, begun = generated(plan), time.perf_counter()

    async def run() -> None:
        await work()

    uvloop.run(run())
    took = time.perf_counter() - begun
    return generated(plan) - before, took


def generated(plan: Plan) -> float:
    """Tokens that the server has generated so far."""
    with urllib.request.urlopen(f"{plan.root}/metrics", timeout=10) as answer:
        return sum(map(float, METRIC.findall(answer.read().decode())))


def empty_cache(plan: Plan) -> None:
    """Forget all prefixes, where the server offers it."""
    try:
        urllib.request.urlopen(urllib.request.Request(f"{plan.root}/reset_prefix_cache", b""), timeout=10).close()
    except urllib.error.HTTPError as error:
        error.close()


def compare(plan: Plan, pairs: int) -> Row:
    """Search and generator in turns, each first in every second pair."""
    ours, bare, requests = list[float](), list[float](), 0
    tokens = 0.0
    for number in range(pairs):
        with kept() as bodies:
            uvloop.run(searched(plan, number))
        requests = len(bodies)
        turns = [(ours, partial(searched, plan, number)), (bare, partial(sent_bare, plan, bodies))]
        for rates, work in turns if number % 2 else reversed(turns):
            tokens, seconds = measured(plan, work)
            rates.append(tokens / seconds)
    shares = [one / other for one, other in zip(ours, bare, strict=True)]
    middle = statistics.median
    return Row(plan.search, pairs, requests, tokens, middle(ours), middle(bare), middle(shares))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8000/v1", help="a vLLM server that writes")
    parser.add_argument("--model", required=True, help="the name under which it serves")
    parser.add_argument("--problems", type=int, default=96)
    parser.add_argument("--at-once", type=int, default=32, help="requests in flight")
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    given = parser.parse_args()
    plans = [
        Plan(given.url, given.model, search, given.problems, given.at_once, given.max_tokens) for search in SEARCHES
    ]
    try:
        rows = [compare(plan, given.pairs) for plan in plans]
    except (ConfigError, OSError, aiohttp.ClientError) as error:
        raise SystemExit(f"{given.url}: {error}") from error
    if given.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{'search':<19} {'requests':>8} {'tokens':>7} {'tokens/s':>9} {'bare':>9} {'share':>6}")
    for row in rows:
        print(f"{row.search:<19} {row.requests:8} {row.tokens:7.0f} {row.tokens_per_second:9.0f} "
              f"{row.bare_tokens_per_second:9.0f} {row.share:6.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
