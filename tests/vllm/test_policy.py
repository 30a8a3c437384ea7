"""The policy on a real server, through the backend: what it writes is what the embedded engine writes, and the laws
of a backend hold: so many draws as asked for, seeds, stop strings, ids, log-probabilities, refusals, cancelling.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from branchwise.orchestrator.backends import embedded
from branchwise.orchestrator.backends.vllm_server import Options, VLLMServer, build
from branchwise.orchestrator.core.errors import BackendError, ContextOverflow
from branchwise.orchestrator.core.message import assistant, user
from branchwise.orchestrator.core.request import Progress, Request
from branchwise.tasks.arithmetic.generator import evaluation_chains
from tests.server import until
from tests.vllm.server import Server

CHAINS = evaluation_chains(random.Random(4), 40, 3)
CLOSE_NATS = 0.3
"""Two tokens whose log-probabilities are this close may change places by the GGUF's rounding to 8 bits."""


@pytest.fixture
async def backend(policy: Server) -> AsyncIterator[VLLMServer]:
    made = build(Options(url=policy.url, model=policy.name))
    yield made
    await made.aclose()


def greedy(prompt: str) -> Request:
    return Request(prompt=prompt, max_tokens=96, temperature=0.0, seed=0)


async def test_greedy_texts_are_the_embedded_engines(backend: VLLMServer, note: list[str]) -> None:
    engine = embedded.build(embedded.Options(model="arithmetic-policy"))
    try:
        pairs = [
            (
                (await engine.generate(greedy(f"{chain.text}\n")))[0].text,
                (await backend.generate(greedy(f"{chain.text}\n")))[0].text,
            )
            for chain in CHAINS
        ]
    finally:
        await engine.aclose()
    different = [(chain, *pair) for chain, pair in zip(CHAINS, pairs, strict=True) if pair[0] != pair[1]]
    note.append(
        f"greedy texts: {len(pairs) - len(different)} of {len(pairs)} equal to the GGUF's in the embedded engine"
    )
    assert len(different) <= len(CHAINS) // 10
    for chain, ours, theirs in different:
        same = next(k for k, (a, b) in enumerate(zip(ours + "\0", theirs + "\0", strict=False)) if a != b)
        asked = Request(prompt=f"{chain.text}\n{ours[:same]}", max_tokens=1, temperature=0.0, seed=0, logprobs=18)
        top = dict((await backend.generate(asked))[0].logprobs[0].top)
        assert abs(top[ours[same : same + 1]] - top[theirs[same : same + 1]]) < CLOSE_NATS


async def test_so_many_draws_and_the_same_for_the_same_seed(backend: VLLMServer) -> None:
    asked = Request(prompt="47+38*3\n", max_tokens=40, n=4, seed=7)
    first, again = await backend.generate(asked), await backend.generate(asked)
    assert len(first) == 4
    assert [draw.text for draw in first] == [draw.text for draw in again]
    one = await backend.generate(Request(prompt="47+38*3\n", max_tokens=40, seed=7))
    assert one[0].text == first[0].text


async def test_a_step_keeps_its_stop_string_and_goes_on_from_its_ids(backend: VLLMServer) -> None:
    step = Request(prompt="47+38*3\n", max_tokens=24, temperature=0.0, seed=0, stop=("\n",), keep_stop=True)
    (draw,) = await backend.generate(step)
    assert (draw.text, draw.finish, draw.stop_string) == ("47+38=85\n", "stop", "\n")
    assert draw.token_ids
    assert draw.prompt_ids
    ids = Request(token_ids=(*draw.prompt_ids, *draw.token_ids), max_tokens=24, temperature=0.0, seed=0)
    (rest,) = await backend.generate(ids)
    assert (rest.text, rest.finish) == ("85*3=255", "end")


async def test_a_chat_goes_on_from_the_assistants_words(backend: VLLMServer) -> None:
    begun = Request(messages=(user("47+38*3"), assistant("47+38=85\n")), max_tokens=24, temperature=0.0, seed=0)
    assert (await backend.generate(begun))[0].text == "85*3=255"


async def test_log_probabilities_of_what_was_written_and_of_the_prompt(backend: VLLMServer) -> None:
    (draw,) = await backend.generate(
        Request(prompt="47+38*3\n", max_tokens=8, temperature=0.0, seed=0, logprobs=3, prompt_logprobs=True)
    )
    assert "".join(each.token for each in draw.logprobs) == draw.text
    assert all(len(each.top) >= 3 and each.logprob <= 0 for each in draw.logprobs)
    assert len(draw.prompt_logprobs) == len("47+38*3\n") - 1


@pytest.mark.parametrize(
    "form", [{"choices": ("7", "85")}, {"regex": "[0-9]{3}"}, {"json_schema": '{"type": "integer"}'}]
)
async def test_the_form_of_an_answer_can_be_bound(backend: VLLMServer, form: dict[str, str]) -> None:
    (draw,) = await backend.generate(Request(prompt="47+38\n", max_tokens=8, seed=1, **form))  # type: ignore[arg-type]
    assert draw.text.isdigit()
    assert "choices" not in form or draw.text in ("7", "85")
    assert "regex" not in form or len(draw.text) == 3


async def test_a_prompt_longer_than_the_context(backend: VLLMServer) -> None:
    with pytest.raises(ContextOverflow):
        await backend.generate(Request(prompt="1+1=" * 200, max_tokens=1))


async def test_numbers_are_refused_by_a_server_that_writes(backend: VLLMServer) -> None:
    with pytest.raises(BackendError):
        await backend.generate(Request(prompt="1+1", pooling="classify", max_tokens=0))


async def test_a_cancelled_call_stops_the_server(policy: Server, note: list[str]) -> None:
    """The policy ends by itself after some forty tokens, so it is told to ignore its end."""
    backend = build(Options(url=policy.url, model=policy.name, extra={"ignore_eos": True}, stream_interval=1))
    asked, progress = Request(prompt="47+38*3\n", max_tokens=240, n=32, seed=1), Progress()
    before = policy.metric("vllm:generation_tokens_total")
    call = asyncio.create_task(backend.generate(asked, progress))
    await until(lambda: policy.metric("vllm:generation_tokens_total") > before)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    seen = progress.usage.completion_tokens
    await until(lambda: policy.metric("vllm:num_requests_running") == 0)
    written = int(policy.metric("vllm:generation_tokens_total") - before)
    await backend.aclose()
    note.append(f"a call for 32 x 240 tokens, cancelled after {seen}: the server wrote {written}")
    assert written < asked.n * asked.max_tokens // 2
