"""The stories of the lane with real vLLM servers, on cassettes of what these answered: no vLLM is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Request
from tests.vllm.cassette import UNKNOWN, Cassette, Deck
from tests.vllm.stories import STORIES, Story

ROLES = ("policy", "outcome", "process")


@pytest.fixture
async def decks() -> AsyncIterator[dict[str, Deck]]:
    async with AsyncExitStack() as stack:
        yield {
            role: await stack.enter_async_context(Deck(f"arithmetic-{role}", Cassette.load(role))) for role in ROLES
        }


@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story.__name__))
async def test_story(decks: dict[str, Deck], story: Story) -> None:
    await asyncio.to_thread(story, decks)


async def test_what_was_never_recorded_is_refused_with_the_remedy(decks: dict[str, Deck]) -> None:
    backend = build(Options(url=decks["policy"].url, model="arithmetic-policy"))
    with pytest.raises(BackendError, match=UNKNOWN):
        await backend.generate(Request(prompt="never asked", seed=1))
    await backend.aclose()
