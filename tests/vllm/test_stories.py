"""Whole searches on real servers: best-of-N and beam, steered by the outcome model's and the process model's kin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from branchwise.orchestrator.core.result import Result
from tests.vllm.server import Server, post
from tests.vllm.stories import BEAM, STORIES, Story, flow, solved


@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story.__name__))
def test_story(policy: Server, outcome: Server, process: Server, story: Story, note: list[str]) -> None:
    told = story({"policy": policy, "outcome": outcome, "process": process})
    note.append(f"{story.__name__}: {told}")


def test_steps_go_on_from_token_ids_and_hit_the_prefix_cache(policy: Server, note: list[str]) -> None:
    rates = {ids: hit_rate(policy, partial(solved, flow(BEAM, policy, token_ids=ids), steps=5))
             for ids in (False, True)}  # fmt: skip
    note.append(f"prefix cache hits in a beam over chains of five: {rates[True]:.0%} of the prompts with token ids, "
                f"{rates[False]:.0%} with text (single characters, blocks of 32)")  # fmt: skip
    assert rates[True] >= rates[False] > 0


def hit_rate(server: Server, run: Callable[[], list[Result]]) -> float:
    """The part of a run's prompts that came from a cache that was empty before; the results say the same."""
    post(server, "/reset_prefix_cache", {})
    before = cached(server)
    results = run()
    asked, hit = (after - begun for after, begun in zip(cached(server), before, strict=True))
    assert not any(result.failures for result in results)
    assert sum(result.usage.cached_tokens for result in results) == hit
    return hit / asked


def cached(server: Server) -> tuple[float, float]:
    """Prompt tokens looked up in the prefix cache so far, and found."""
    return server.metric("vllm:prefix_cache_queries_total"), server.metric("vllm:prefix_cache_hits_total")
