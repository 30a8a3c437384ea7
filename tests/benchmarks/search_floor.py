"""Searches against the floor: a bare asyncio client that sends the same requests under the same limit.

The server (tests/server.py) answers after a fixed latency, by prompt and seed only, in a process of its own.
Best-of-8 x 40 problems and beam 4 x 4 x 6 x 20 problems, one request a draw and one a score, journal on disk.
Client and floor alternate; medians over the pairs. ``python -m tests.benchmarks.search_floor [--json]``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from branchwise.orchestrator.api import solve_batch
from branchwise.orchestrator.core.seeds import seed_for

UNLIMITED = 100_000
POLICY = {"kind": "solver", "model": "m", "prompt": "$problem: ", "style": "completion", "final": "never"}
REWARD = {"kind": "label_token", "model": "m", "good": "Yes", "bad": "No", "reducer": "last", "every_step": False,
          "alternatives": 2}  # fmt: skip
MODEL = {"kind": "openai", "model": "m", "capabilities": {"logprobs": True, "knows_stop": True}, "keeps_stop": True}
WORKS: dict[str, tuple[dict[str, Any], int]] = {
    "best-of-8 x 40": ({"kind": "best_of_n", "n": 8}, 40),
    "beam 4x4x6 x 20": ({"kind": "beam", "width": 4, "expansions": 4, "depth": 6}, 20),
}


@dataclass(frozen=True)
class Row:
    """Medians of one work under one limit."""

    work: str
    limit: int
    fail: float
    wall_seconds: float
    floor_seconds: float
    ratio: float
    peak: int
    requests: int
    answered: int
    cpu_ms_per_call: float
    floor_cpu_ms_per_call: float


@dataclass(frozen=True)
class Timing:
    """One side of one pair."""

    wall_seconds: float
    cpu_seconds: float
    requests: int
    peak: int
    answered: int


class Floor:
    """The least that asyncio and aiohttp need: no search, no journal, no budget; it retries a 500."""

    def __init__(self, url: str, session: aiohttp.ClientSession, limit: int) -> None:
        self._url, self._session, self._slots = f"{url}/completions", session, asyncio.Semaphore(limit)

    async def call(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """One request: the events of its stream."""
        delay = 0.5
        while True:
            async with self._slots, self._session.post(self._url, json=body) as answer:
                if answer.status == 200:
                    lines = (await answer.read()).split(b"\n")
                    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
            await asyncio.sleep(delay)
            delay *= 2

    async def draw(self, prompt: str, seed: int, to_end: bool) -> str:
        """One draw of the policy."""
        body = {"model": "m", "prompt": prompt, "max_tokens": 512 if to_end else 256, "temperature": 1.0,
                "top_p": 1.0, "seed": seed, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
        if not to_end:
            body |= {"stop": ["\n\n"], "include_stop_str_in_output": True}
        return "".join(c["text"] for event in await self.call(body) for c in event["choices"])

    async def score(self, prompt: str) -> float:
        """One label."""
        body = {"model": "m", "prompt": prompt, "max_tokens": 1, "temperature": 0.0, "top_p": 1.0, "seed": 0,
                "logprobs": 2, "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
        return float("Yes" in [c["text"] for event in await self.call(body) for c in event["choices"]])

    async def child(self, problem: str, lineage: tuple[int, ...], text: str, k: int, to_end: bool) -> Any:
        """A draw and its score, without waiting for anybody else."""
        seed = seed_for(0, problem, lineage, "policy", k)
        grown = text + await self.draw(f"{problem}: {text}", seed, to_end)
        return await self.score(f"{problem}\n{grown}"), (*lineage, k), grown

    async def best_of_n(self, problem: str) -> str:
        """Eight answers, the best one."""
        return str(max(await asyncio.gather(*(self.child(problem, (), "", k, True) for k in range(8))))[2])

    async def beam(self, problem: str) -> str:
        """Width 4, 4 expansions each, depth 6."""
        beams: list[tuple[tuple[int, ...], str]] = [((), "")]
        for depth in range(6):
            grown = await asyncio.gather(
                *(self.child(problem, lineage, text, k, depth == 5) for lineage, text in beams for k in range(4))
            )
            beams = [(lineage, text) for _, lineage, text in sorted(grown, key=lambda g: -g[0])[:4]]
        return beams[0][1]


class Server:
    """The fixed-latency server in its own process."""

    def __init__(self, latency: float, fail: float) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.server",
            "--port",
            "0",
            "--latency",
            str(latency),
            "--fail",
            str(fail),
        ]
        self._process = subprocess.Popen([*command, "--tells-stop", "1"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._base = f"http://localhost:{int(self._process.stdout.readline())}"
        self.url = f"{self._base}/v1"

    def measure(self, work: Callable[[], Awaitable[int]]) -> Timing:
        """Run ``work`` on a fresh loop; it returns the number of problems answered."""
        urllib.request.urlopen(f"{self._base}/reset", data=b"").close()
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()

        async def run() -> int:
            return await work()

        answered = asyncio.run(run())
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        with urllib.request.urlopen(f"{self._base}/stats") as answer:
            seen = json.load(answer)
        return Timing(wall, cpu, seen["calls"], seen["peak"], answered)

    def close(self) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()


def compare(server: Server, work: str, limit: int, fail: float, pairs: int) -> Row:
    """Ours and the floor in turn; medians."""
    algorithm, count = WORKS[work]
    problems = [f"problem-{number}" for number in range(count)]

    async def ours() -> int:
        with tempfile.TemporaryDirectory() as folder:
            search = {"kind": "search", "algorithm": algorithm, "policy": POLICY, "reward": REWARD, "select": "naive"}
            model = MODEL | {"url": server.url, "max_in_flight": limit, "retries": 8}
            flow = {"models": {"m": model}, "nodes": {"search": search}}
            results = await solve_batch(problems, flow, concurrency=count, out=Path(folder) / "run")
        return sum(result.answer is not None for result in results)

    async def floor() -> int:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(300)) as session:
            client = Floor(server.url, session, limit)
            method = client.best_of_n if algorithm["kind"] == "best_of_n" else client.beam
            return len(await asyncio.gather(*map(method, problems)))

    ran = [(server.measure(ours), server.measure(floor)) for _ in range(pairs)]
    mine, least = [a for a, _ in ran], [b for _, b in ran]
    return Row(
        work, limit if limit < UNLIMITED else 0, fail,
        statistics.median(t.wall_seconds for t in mine),
        statistics.median(t.wall_seconds for t in least),
        statistics.median(a.wall_seconds / b.wall_seconds for a, b in ran),
        max(t.peak for t in mine), mine[0].requests, min(t.answered for t in mine),
        1000 * statistics.median(t.cpu_seconds / t.requests for t in mine),
        1000 * statistics.median(t.cpu_seconds / t.requests for t in least),
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds a call")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs")
    parser.add_argument("--limits", default="32,0", help="calls in flight; 0: unlimited")
    parser.add_argument("--fail", type=float, default=0.0, help="share of requests answered with HTTP 500")
    parser.add_argument("--works", default=",".join(WORKS), help="which of: " + ", ".join(WORKS))
    options = parser.parse_args()
    server = Server(options.latency, options.fail)
    try:
        compare(server, "best-of-8 x 40", UNLIMITED, 0.0, 1)  # imports, first connections
        rows = [
            compare(server, work, int(limit) or UNLIMITED, options.fail, options.pairs)
            for limit in options.limits.split(",")
            for work in options.works.split(",")
        ]
    finally:
        server.close()
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print(f"{options.latency * 1000:.0f} ms a call, {options.pairs} pairs, HTTP 500: {options.fail:.0%}")
    print(f"{'work':<16} {'limit':>6} {'wall s':>7} {'floor s':>7} {'ratio':>6} {'peak':>5} {'requests':>8} "
          f"{'answered':>8} {'cpu ms':>7} {'floor':>6}")  # fmt: skip
    for row in rows:
        print(f"{row.work:<16} {row.limit or 'none':>6} {row.wall_seconds:7.2f} {row.floor_seconds:7.2f} "
              f"{row.ratio:6.3f} {row.peak:5} {row.requests:8} {row.answered:8} {row.cpu_ms_per_call:7.3f} "
              f"{row.floor_cpu_ms_per_call:6.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
