"""The floor: the least that asyncio and aiohttp need for a search's calls. No search, no journal, no budget.

It sends the very requests that the search sends, under the same limit, and tries again after an HTTP 500. What a tree
search asks for can't be known without searching: of MCTS, the floor takes the draws that the search made, in their
order, each with its score, by as many workers a problem as the search had leaves under way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from branchwise.orchestrator.core.seeds import seed_for

TIMEOUT_SECONDS = 300
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Child:
    """A draw and its score, by the text before it."""

    problem: str
    lineage: tuple[int, ...] = ()
    text: str = ""
    k: int = 0
    to_end: bool = True


@dataclass(frozen=True)
class Grown:
    """What came of a child: where it stands, its text and its score."""

    score: float
    lineage: tuple[int, ...]
    text: str


class Floor:
    """The bare client."""

    def __init__(self, url: str, session: aiohttp.ClientSession, limit: int) -> None:
        self._url, self._session, self._slots = f"{url}/completions", session, asyncio.Semaphore(limit)

    async def call(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """One request: the events of its stream."""
        delay = 0.5
        while True:
            async with self._slots, self._session.post(self._url, json=body | STREAMED) as answer:
                if answer.status == 200:
                    lines = (await answer.read()).split(b"\n")
                    return [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
            await asyncio.sleep(delay)
            delay *= 2

    async def draw(self, prompt: str, seed: int, to_end: bool) -> str:
        """One draw of the policy."""
        body = {"model": "m", "prompt": prompt, "max_tokens": 512 if to_end else 256, "temperature": 1.0,
                "top_p": 1.0, "seed": seed}  # fmt: skip
        if not to_end:
            body |= {"stop": ["\n\n"], "include_stop_str_in_output": True}
        return "".join(c["text"] for event in await self.call(body) for c in event["choices"])

    async def score(self, prompt: str) -> float:
        """One label."""
        body = {"model": "m", "prompt": prompt, "max_tokens": 1, "temperature": 0.0, "top_p": 1.0, "seed": 0,
                "logprobs": 2}  # fmt: skip
        return float("Yes" in [c["text"] for event in await self.call(body) for c in event["choices"]])

    async def grow(self, child: Child) -> Grown:
        """A draw and its score, without waiting for anybody else."""
        seed = seed_for(0, child.problem, child.lineage, "policy", child.k)
        text = child.text + await self.draw(f"{child.problem}: {child.text}", seed, child.to_end)
        end = "" if text.endswith("\n") else "\n"
        return Grown(await self.score(f"{child.problem}\n{text}{end}"), (*child.lineage, child.k), text)

    async def best_of_n(self, problem: str, n: int) -> str:
        """So many answers, the best one."""
        grown = await asyncio.gather(*(self.grow(Child(problem, k=k)) for k in range(n)))
        return max(grown, key=lambda one: one.score).text

    async def beam(self, problem: str, width: int, expansions: int, depth: int) -> str:
        """Level by level."""
        beams = [Grown(0.0, (), "")]
        for level in range(depth):
            children = [
                Child(problem, beam.lineage, beam.text, k, level == depth - 1)
                for beam in beams
                for k in range(expansions)
            ]
            grown = await asyncio.gather(*map(self.grow, children))
            beams = sorted(grown, key=lambda one: -one.score)[:width]
        return beams[0].text

    async def chains(self, children: Sequence[Child], workers: int) -> str:
        """These children in their order, so many at a time."""
        waiting, grown = iter(children), list[Grown]()

        async def worker() -> None:
            for child in waiting:
                grown.append(await self.grow(child))

        await asyncio.gather(*(worker() for _ in range(workers)))
        return max(grown, key=lambda one: one.score).text


async def with_floor(url: str, limit: int, works: Callable[[Floor], Iterator[Awaitable[str]]]) -> int:
    """Do all works at once with one client; how many were done."""
    async with opened(url, limit) as client:
        return len(await asyncio.gather(*works(client)))


@asynccontextmanager
async def opened(url: str, limit: int) -> AsyncIterator[Floor]:
    """A client with a session of its own."""
    timeout = aiohttp.ClientTimeout(TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        yield Floor(url, session, limit)
