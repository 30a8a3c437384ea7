"""The embedded backend against the real engine and the shipped policy: nothing here is faked."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("xllamacpp")

from branchwise.orchestrator.backends import embedded, embedded_wire
from branchwise.orchestrator.backends.catalogue import find
from branchwise.orchestrator.backends.embedded import Embedded, Options
from branchwise.orchestrator.backends.pulling import pull
from branchwise.orchestrator.core.errors import BackendError, ConfigError, ContextOverflow
from branchwise.orchestrator.core.message import assistant, user
from branchwise.orchestrator.core.request import Draw, Progress, Request

MODEL = "arithmetic-policy"
EVERYTHING = 200


@pytest.fixture
async def backend() -> AsyncIterator[Embedded]:
    running = embedded.build(Options(model=MODEL))
    yield running
    await running.aclose()


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model never ends of itself, so that a draw lasts until it is cut off or cancelled."""
    plain = embedded_wire.body_of

    def body_of(*args: object, **options: object) -> bytes:
        return json.dumps({**json.loads(plain(*args, **options)), "ignore_eos": True}).encode()  # type: ignore[arg-type]

    monkeypatch.setattr(embedded, "body_of", body_of)


def chains(count: int) -> list[Request]:
    """Requests of all sorts: short and long prompts, some over 64 tokens, some with several draws."""
    rng = random.Random(11)
    requests = []
    for number in range(count):
        chain = str(rng.randint(2, 99))
        for _ in range(rng.choice((1, 2, 3, 3, 40))):
            chain += rng.choice("+-*") + str(rng.randint(2, 99))
        requests.append(Request(prompt=f"{chain}=\n", seed=number * 16, max_tokens=20, n=rng.choice((1, 1, 1, 3))))
    return requests


async def texts(backend: Embedded, requests: list[Request], width: int) -> dict[int | None, list[str]]:
    """Seed -> texts, with so many requests in flight."""
    gate = asyncio.Semaphore(width)

    async def one(request: Request) -> tuple[int | None, list[str]]:
        async with gate:
            return request.seed, [draw.text for draw in await backend.generate(request)]

    return dict(await asyncio.gather(*(one(request) for request in requests)))


async def test_same_request_and_seed_give_the_same_text_in_any_company(backend: Embedded) -> None:
    assert backend.capabilities.repeatable
    assert backend.slots == 8
    requests = chains(150)
    shuffled = random.Random(3).sample(requests, len(requests))
    alone = await texts(backend, requests, 1)
    assert await texts(backend, requests, 8) == alone
    assert await texts(backend, shuffled, 8) == alone
    assert await texts(backend, shuffled, 3) == alone
    assert len({text for found in alone.values() for text in found}) > 100


async def test_the_kth_draw_is_the_draw_with_seed_plus_k(backend: Embedded) -> None:
    several = await backend.generate(Request(prompt="47+38*3=\n", seed=5, n=20, max_tokens=16))
    alone = [await backend.generate(Request(prompt="47+38*3=\n", seed=5 + k, max_tokens=16)) for k in range(20)]
    assert [draw.text for draw in several] == [draw.text for (draw,) in alone]
    assert len({draw.text for draw in several}) > 1


async def test_usage_is_counted_once(backend: Embedded) -> None:
    request, progress = Request(prompt="47+38*3=\n", seed=5, n=20, max_tokens=16), Progress()
    draws = await backend.generate(request, progress)
    assert backend.count_prompt(request) == (9, True)
    assert [draw.usage.prompt_tokens for draw in draws] == [9] + [0] * 19
    assert sum(draw.usage.calls for draw in draws) == 1
    assert progress.usage.exact
    assert progress.usage.prompt_tokens == 9
    assert progress.usage.calls == 1
    assert progress.usage.completion_tokens == sum(draw.usage.completion_tokens for draw in draws)


async def test_progress_adds_up_over_calls(backend: Embedded) -> None:
    progress = Progress()
    for seed in (1, 2):
        await backend.generate(Request(prompt="47+38=\n", seed=seed, max_tokens=3), progress)
    assert (progress.usage.calls, progress.usage.completion_tokens) == (2, 6)


async def greedy(backend: Embedded, **changes: object) -> Draw:
    (draw,) = await backend.generate(Request(prompt="47+38*3=\n", temperature=0.0, max_tokens=60, **changes))  # type: ignore[arg-type]
    return draw


async def test_the_three_ways_to_finish_are_told_apart(backend: Embedded) -> None:
    ended, cut = await greedy(backend), await greedy(backend, stop=("\n",))
    short = await backend.generate(Request(prompt="47+38*3=\n", temperature=0.0, max_tokens=2))
    assert (ended.finish, ended.stop_string) == ("end", None)
    assert (cut.finish, cut.stop_string) == ("stop", "\n")
    assert (short[0].finish, short[0].stop_string) == ("length", None)
    assert "\n" in ended.text
    assert cut.text == ended.text.partition("\n")[0]


async def test_a_stop_string_is_kept_on_request(backend: Embedded) -> None:
    cut = await greedy(backend, stop=("no such", "=", "\n"))
    kept = await greedy(backend, stop=("no such", "=", "\n"), keep_stop=True)
    ended = await greedy(backend, stop=("no such",), keep_stop=True)
    assert cut.stop_string == kept.stop_string == "="
    assert kept.text == cut.text + "="
    assert (ended.finish, ended.stop_string) == ("end", None)


async def test_completion_tokens_count_the_end_of_sequence_and_what_completed_a_stop(backend: Embedded) -> None:
    ended, cut = await greedy(backend), await greedy(backend, stop=("\n",))
    assert ended.usage.completion_tokens == len(ended.text) + 1
    assert cut.usage.completion_tokens == len(cut.text) + 1


async def test_logprobs_are_of_the_raw_distribution(backend: Embedded) -> None:
    found = []
    for temperature, top_p in ((0.0, 1.0), (0.5, 0.4), (1.0, 1.0)):
        request = Request(
            prompt="47+38*3=\n4", max_tokens=1, seed=2, logprobs=19, temperature=temperature, top_p=top_p
        )
        (draw,) = await backend.generate(request)
        (token,) = draw.logprobs
        assert token.token == draw.text
        assert math.isclose(dict(token.top)[token.token], token.logprob, rel_tol=1e-6)
        assert math.isclose(sum(math.exp(nats) for _, nats in token.top), 1.0, abs_tol=1e-4)
        found.append(token.top)
    assert found[0] == found[1] == found[2]


async def test_logprobs_name_every_token_rightly_around_stop_strings(backend: Embedded) -> None:
    """The engine itself calls a token by the text it sends with it, which is late or missing here."""
    plain = await greedy(backend, logprobs=2)
    held = await greedy(backend, logprobs=2, stop=("=no such", "\n="))
    assert [token.token for token in held.logprobs] == [*plain.text, ""]
    assert held.logprobs == plain.logprobs
    assert len(held.logprobs) == held.usage.completion_tokens


@pytest.mark.parametrize("top", [0, 1])
async def test_few_alternatives_may_be_asked_for(backend: Embedded, top: int) -> None:
    request = Request(prompt="47+38*3=\n", seed=1, logprobs=top, temperature=5.0, max_tokens=20, stop=("=+",))
    (draw,) = await backend.generate(request)
    assert {len(token.top) for token in draw.logprobs} == {top}
    assert "".join(token.token for token in draw.logprobs) == draw.text


async def test_sampling_follows_the_distribution(backend: Embedded) -> None:
    request = Request(prompt="47+38*3=\n47+38=", max_tokens=1, seed=1, logprobs=19, n=2000, temperature=1.5)
    draws = await backend.generate(request)
    weights = {name: math.exp(nats / 1.5) for name, nats in draws[0].logprobs[0].top}
    seen = Counter(draw.text for draw in draws)
    for name, weight in weights.items():
        expected = weight / sum(weights.values())
        assert abs(seen[name] / 2000 - expected) < 5 * math.sqrt(expected / 2000) + 1e-3


async def test_token_ids_are_a_prompt_as_they_are(backend: Embedded) -> None:
    by_text = await backend.generate(Request(prompt="12=\n", seed=1, max_tokens=8))
    by_ids = await backend.generate(Request(token_ids=(5, 6, 17, 3), seed=1, max_tokens=8))
    assert by_text[0].text == by_ids[0].text
    assert by_ids[0].usage.prompt_tokens == backend.count_prompt(Request(token_ids=(5, 6, 17, 3)))[0] == 4


async def test_a_schema_binds_the_answer(backend: Embedded) -> None:
    request = Request(prompt="47+38=\n", json_schema='{"type": "integer"}', max_tokens=30, n=4, seed=1)
    assert all(draw.text.lstrip("-").isdigit() for draw in await backend.generate(request))
    with pytest.raises(BackendError, match="not JSON"):
        await backend.generate(Request(prompt="47+38=\n", json_schema="{"))


@pytest.mark.parametrize("wanted", [Request(prompt="1" * 300), Request(token_ids=(5,) * 256)])
async def test_a_prompt_beyond_the_context_overflows(backend: Embedded, wanted: Request) -> None:
    with pytest.raises(ContextOverflow, match="256") as caught:
        await backend.generate(wanted)
    assert not caught.value.retryable


async def test_an_answer_that_fills_the_context_is_cut_off(backend: Embedded, endless: None) -> None:
    (draw,) = await backend.generate(Request(prompt="1" * 250, max_tokens=100, seed=1))
    assert draw.finish == "length"
    assert draw.usage.tokens <= 257


@pytest.mark.parametrize(
    "wanted", [Request(prompt=""), Request(token_ids=(99999,)), Request(messages=(user("1+1"),))]
)
async def test_what_the_model_cannot_do_is_refused(backend: Embedded, wanted: Request) -> None:
    assert not backend.capabilities.chat
    with pytest.raises(BackendError) as caught:
        await backend.generate(wanted)
    assert not caught.value.retryable


async def cancelled_midway(backend: Embedded, n: int) -> Progress:
    """Usage of a call that was cancelled after its fifth token."""
    progress = Progress()
    task = asyncio.create_task(
        backend.generate(Request(prompt="47+38*3=\n", seed=1, max_tokens=EVERYTHING, n=n), progress)
    )
    while progress.usage.completion_tokens < 5:  # noqa: ASYNC110 - progress is no event
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return progress


@pytest.mark.parametrize("n", [1, 8])
async def test_cancelling_stops_the_engine_and_frees_its_slots(backend: Embedded, endless: None, n: int) -> None:
    used = [(await cancelled_midway(backend, n)).usage for _ in range(5)]
    assert min(usage.completion_tokens for usage in used) < EVERYTHING * n / 2
    assert all((usage.prompt_tokens, usage.calls) == (9, 1) for usage in used)
    draws = await backend.generate(Request(prompt="1+1=\n", seed=1, max_tokens=4, n=8))
    assert len(draws) == 8


async def test_a_cancelled_caller_harms_no_one_else(backend: Embedded) -> None:
    requests = chains(60)
    calm = await texts(backend, requests, 8)
    tasks = [asyncio.create_task(backend.generate(request)) for request in requests]
    victims = [asyncio.create_task(backend.generate(request)) for request in chains(60)]
    for number, victim in enumerate(victims):
        if number % 3 == 0:
            await asyncio.sleep(0)
        victim.cancel()
    answers = await asyncio.gather(*tasks)
    assert {r.seed: [d.text for d in a] for r, a in zip(requests, answers, strict=True)} == calm
    assert all(isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(*victims, return_exceptions=True))


async def test_cancelled_before_it_was_sent_costs_nothing(backend: Embedded, endless: None) -> None:
    long = asyncio.create_task(backend.generate(Request(prompt="1=\n", n=8, seed=1, max_tokens=EVERYTHING)))
    await asyncio.sleep(0)
    progress = Progress()
    waiting = asyncio.create_task(backend.generate(Request(prompt="2=\n", n=8, max_tokens=1), progress))
    await asyncio.sleep(0)
    waiting.cancel()
    assert len(await long) == 8
    assert progress.usage.calls == 0


async def test_closing_fails_the_calls_in_flight_and_the_waiting(endless: None) -> None:
    backend = embedded.build(Options(model=MODEL, slots=2))
    tasks = [
        asyncio.create_task(backend.generate(Request(prompt="1=\n", seed=k, max_tokens=EVERYTHING)))
        for k in range(12)
    ]
    await asyncio.sleep(0.005)
    await backend.aclose()
    await backend.aclose()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, BackendError) for outcome in outcomes) >= 8
    with pytest.raises(BackendError, match="closed"):
        await backend.generate(Request(prompt="1=\n"))


async def test_one_slot_gives_the_same_texts_as_eight(backend: Embedded) -> None:
    single = embedded.build(Options(model=MODEL, slots=1))
    try:
        requests = chains(40)
        assert await texts(single, requests, 4) == await texts(backend, requests, 8)
    finally:
        await single.aclose()


async def test_identity_is_the_weights_not_the_place(backend: Embedded, tmp_path: Path) -> None:
    shipped = find(MODEL).path
    assert shipped is not None
    copy = tmp_path / "other.gguf"
    copy.write_bytes(shipped.read_bytes())
    other = embedded.build(Options(model=str(copy)))
    await other.aclose()
    assert other.identity.weights == backend.identity.weights
    assert (other.identity.model, backend.identity.model) == ("other", MODEL)
    assert backend.identity.bos is False


def test_options_follow_each_other() -> None:
    assert Options(model="x").max_in_flight == 8
    assert Options(model="x", slots=3).max_in_flight == 3
    assert Options(model="x", slots=3, max_in_flight=5).max_in_flight == 5


def test_more_context_than_the_model_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="256"):
        embedded.build(Options(model=MODEL, context=4096))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "empty"), (b"\x89PNG and so on", "not a GGUF"), (b"GGUF\x03\0\0\0", "damaged"), (None, "can't load")],
)
def test_what_is_no_whole_model_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, complaint: str
) -> None:
    file = tmp_path / "bad.gguf"
    shipped = find(MODEL).path
    assert shipped is not None
    file.write_bytes(shipped.read_bytes()[:50_000] if content is None else content)
    with pytest.raises(ConfigError, match=complaint) as caught:
        embedded.build(Options(model=str(file)))
    assert str(file) in str(caught.value)
    assert capfd.readouterr() == ("", "")


async def test_the_engine_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    backend = embedded.build(Options(model=MODEL))
    await backend.generate(Request(prompt="1=\n", max_tokens=3))
    with pytest.raises(ContextOverflow):
        await backend.generate(Request(prompt="1" * 300))
    await backend.aclose()
    assert capfd.readouterr() == ("", "")


@pytest.mark.live
@pytest.mark.timeout(600)
async def test_a_chat_model_answers_and_continues(tmp_path: Path) -> None:
    backend = embedded.build(Options(model=str(pull("smollm2-135m", cache=tmp_path)), context=512))
    try:
        assert backend.capabilities.chat
        assert backend.capabilities.repeatable
        question = user("What is the capital of France?")
        asked = Request(messages=(question,), temperature=0.0, max_tokens=20)
        begun = Request(
            messages=(question, assistant("The capital of France is")), temperature=0.0, max_tokens=3, logprobs=2
        )
        (answer,), (rest,) = await backend.generate(asked), await backend.generate(begun)
        assert answer.text
        assert answer.finish in ("end", "length")
        assert rest.text.startswith(" Paris")
        assert "".join(token.token for token in rest.logprobs) == rest.text
        assert answer.usage.prompt_tokens == backend.count_prompt(asked)[0]
        assert rest.usage.prompt_tokens == backend.count_prompt(begun)[0]
        requests = [Request(prompt="word " * (k * 7), seed=k, max_tokens=6) for k in range(1, 20)]
        assert await texts(backend, requests, 8) == await texts(backend, requests, 1)
    finally:
        await backend.aclose()
