"""its_hub: best-of-N with its model judge, beam search with a process reward that makes one request a path."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from tests.benchmarks.peer_works.measuring import BEAM, BEST_OF_8, Run, judging, main, said

hub: Any = import_module("its_hub")
core = "its_hub.core."
api: Any = import_module("its_hub.api")
beam_search: Any = import_module(core + "algorithms.beam_search")
generation: Any = import_module(core + "lms.step_generation")
orchestration: Any = import_module(core + "orchestrator")
judges: Any = import_module(core + "reward_models.llm_judge")
aiohttp: Any = import_module("aiohttp")


class PathReward(api.AbstractProcessRewardModel):  # type: ignore[misc]
    """One score a path, all paths of a level at once."""

    def __init__(self, url: str, session: Any) -> None:
        self._url, self._session = f"{url}/chat/completions", session

    async def _one(self, path: str) -> float:
        async with self._session.post(self._url, json=judging(path)) as answer:
            return float(said(await answer.json()))

    async def ascore(self, prompt_or_messages: Any, response_or_responses: Any) -> Any:
        if isinstance(response_or_responses, str):
            return await self._one(response_or_responses)
        return list(await asyncio.gather(*map(self._one, response_or_responses)))

    def score(self, prompt_or_messages: Any, response_or_responses: Any) -> Any:
        raise NotImplementedError


def model(url: str) -> Any:
    """Its client."""
    return hub.OpenAICompatibleLanguageModel(endpoint=url, api_key="none", model_name="m")


async def best_of_8(url: str, limit: int) -> None:
    """All problems at once, through its orchestrator with this limit; -1: none."""
    lm = model(url)
    algorithm = hub.BestOfN(judges.LLMJudge(lm), orchestrator=orchestration.LMOrchestrator(max_concurrency=limit))
    await asyncio.gather(*(algorithm.ainfer(lm, f"Problem {number}", 8) for number in range(40)))
    await lm.close()


async def beam(url: str) -> None:
    """All problems at once; its beam search has no limit of its own."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        steps = generation.StepGeneration(max_steps=5, step_token="\n\n")
        algorithm = beam_search.BeamSearch(steps, PathReward(url, session), beam_width=4)
        lm = model(url)
        await asyncio.gather(*(algorithm.ainfer(lm, f"Problem {number}", 16) for number in range(20)))
        await lm.close()


def whole(work: Callable[[str], Awaitable[None]]) -> Callable[[str], None]:
    """From start to end."""

    def go(url: str) -> None:
        async def run() -> None:
            await asyncio.wait_for(work(url), 300)

        asyncio.run(run())

    return go


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    main(
        "its_hub",
        [
            Run(BEST_OF_8, "gathered, its default limit", whole(lambda url: best_of_8(url, 32)), limit=32),
            Run(BEST_OF_8, "gathered, no limit", whole(lambda url: best_of_8(url, -1))),
            Run(BEAM, "gathered", whole(beam)),
        ],
    )
