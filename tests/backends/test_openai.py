"""The backend ``openai`` against a real server: what is sent, what comes back, what breaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.backends.openai import OpenAI, Options, build
from branchwise.orchestrator.backends.openai_answer import Answer
from branchwise.orchestrator.backends.openai_errors import refusal
from branchwise.orchestrator.backends.openai_http import PARSED_BYTES, _follow
from branchwise.orchestrator.core.errors import BackendError, ContextOverflow, Suspended, Unavailable
from branchwise.orchestrator.core.message import Tool, assistant, system, user
from branchwise.orchestrator.core.request import Progress, Request
from branchwise.orchestrator.core.usage import Usage
from tests.server import Server, until

SECRET = "sk-very-secret-0123456789"


def backend_for(server: Server, **options: object) -> OpenAI:
    return build(Options(url=server.url, model="m", **options))  # type: ignore[arg-type]


def asked(text: str = "Solve 1 + 1.", seed: int = 7, **fields: object) -> Request:
    return Request(messages=(user(text),), seed=seed, **fields)  # type: ignore[arg-type]


async def failure(backend: OpenAI, request: Request) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await backend.generate(request)
    await backend.aclose()
    return caught.value


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("form", ["messages", "prompt", "token_ids"])
async def test_streamed_and_whole_answers_are_the_same(server: Server, form: str, together: bool) -> None:
    server.behaviour.pieces_together = together
    prompt = {"messages": (user("Go"),)} if form == "messages" else {form: (1, 2) if form == "token_ids" else "Go"}
    request = Request(**prompt, n=3, seed=5, logprobs=2, stop=("\n\n",))  # type: ignore[arg-type]
    answers = []
    for streaming in (True, False):
        backend = backend_for(server, streaming=streaming)
        answers.append(await backend.generate(request))
        await backend.aclose()
    streamed, whole = answers
    assert streamed == whole
    assert len(streamed) == 3
    assert all(d.text and d.logprobs and len(d.logprobs[0].top) == 2 for d in streamed)
    assert streamed[0].logprobs[0].top[0] == ("alt0", -2.0)


async def test_tools_are_offered_in_chats_and_their_parameters_must_be_json(server: Server) -> None:
    backend = backend_for(server, capabilities={"tools": True})
    tools = (Tool("add", "Adds.", '{"type": "object", "properties": {"a": {"type": "integer"}}}'),)
    await backend.generate(asked(tools=tools))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    function = {"name": "add", "description": "Adds.", "parameters": schema}
    assert server.seen.last_body["tools"] == [{"type": "function", "function": function}]
    with pytest.raises(BackendError, match="in chats only"):
        await backend.generate(Request(prompt="p", tools=tools))
    with pytest.raises(BackendError, match="parameters of the tool 'add' are no JSON"):
        await backend.generate(asked(tools=(Tool("add", "", "{"),)))
    await backend.aclose()


async def test_the_kth_of_n_is_the_draw_of_seed_plus_k(server: Server) -> None:
    backend = backend_for(server)
    together = await backend.generate(asked(n=4, seed=10))
    alone = [(await backend.generate(asked(seed=10 + k)))[0] for k in range(4)]
    await backend.aclose()
    assert [d.text for d in together] == [d.text for d in alone]
    assert len({d.text for d in together}) > 1


async def test_usage_is_the_servers_and_sums_over_the_draws(server: Server) -> None:
    backend, progress = backend_for(server), Progress(Usage(calls=2, prompt_tokens=5))
    draws = await backend.generate(asked(n=4), progress)
    total = sum((d.usage for d in draws), Usage())
    assert total.calls == 1
    assert total.completion_tokens == server.seen.tokens
    assert all(d.usage.prompt_tokens == 0 for d in draws[1:])
    assert progress.usage == Usage(5 + total.prompt_tokens, total.completion_tokens, calls=3)
    (single,) = await backend.generate(asked())
    assert single.usage.exact
    await backend.aclose()


@pytest.mark.parametrize("streaming", [True, False])
async def test_usage_is_estimated_and_flagged_if_the_server_gives_none(server: Server, streaming: bool) -> None:
    server.behaviour.sends_usage = False
    backend = backend_for(server, streaming=streaming)
    (draw,) = await backend.generate(asked(max_tokens=30))
    await backend.aclose()
    assert not draw.usage.exact
    assert 0 < draw.usage.completion_tokens <= 30
    assert draw.usage.prompt_tokens >= len("Solve 1 + 1.")


async def test_progress_tells_what_a_cancelled_stream_has_used(server: Server) -> None:
    server.behaviour.length, server.behaviour.token_delay_seconds = 10_000, 0.001
    backend, progress = backend_for(server), Progress()
    task = asyncio.create_task(backend.generate(asked(max_tokens=10_000), progress))
    await until(lambda: server.seen.tokens >= 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert progress.usage.calls == 1
    assert progress.usage.prompt_tokens > 0
    assert 3 <= progress.usage.completion_tokens <= server.seen.tokens
    assert not progress.usage.exact
    await backend.aclose()


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_call_that_nothing_came_of_is_no_exact_account(server: Server, cancelled: bool) -> None:
    server.behaviour.hang = 1.0
    backend, progress = backend_for(server, timeout_seconds=60 if cancelled else 0.1), Progress(Usage(calls=3))
    task = asyncio.create_task(backend.generate(asked(), progress))
    await until(lambda: server.seen.in_flight > 0)
    if cancelled:
        task.cancel()
    with pytest.raises(asyncio.CancelledError if cancelled else BackendError):
        await task
    assert progress.usage == Usage(calls=4, exact=False)
    await backend.aclose()


@pytest.mark.parametrize("status", [400, 429, 500])
async def test_a_call_that_is_refused_has_used_no_tokens(server: Server, status: int) -> None:
    server.behaviour.status = status
    backend, progress = backend_for(server), Progress()
    with pytest.raises(BackendError):
        await backend.generate(asked(), progress)
    assert progress.usage == Usage(calls=1)
    await backend.aclose()


@pytest.mark.parametrize("length", [50, 3_000])
async def test_a_streams_text_is_whole_whatever_its_size(server: Server, length: int) -> None:
    server.behaviour.length = length
    backend, progress = backend_for(server), Progress()
    (draw,) = await backend.generate(asked(max_tokens=length), progress)
    await backend.aclose()
    assert draw.usage.completion_tokens == length == len(draw.text.split())
    assert progress.usage == draw.usage


@pytest.mark.parametrize("streaming", [True, False])
async def test_cancelling_reaches_the_server(server: Server, streaming: bool) -> None:
    server.behaviour.length, server.behaviour.token_delay_seconds = 100_000, 0.001
    backend = backend_for(server, streaming=streaming)
    task = asyncio.create_task(backend.generate(asked(max_tokens=100_000)))
    await until(lambda: server.seen.tokens > 3 if streaming else server.seen.in_flight > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: server.seen.in_flight == 0)
    assert server.seen.disconnects == 1
    assert server.seen.tokens_after_disconnect <= 1
    assert (await backend.generate(asked(max_tokens=2)))[0].finish == "length"
    await backend.aclose()


async def test_connections_are_kept_and_more_than_a_hundred_are_allowed(server: Server) -> None:
    backend = backend_for(server)
    for _ in range(2):
        server.open.clear()
        tasks = [asyncio.create_task(backend.generate(asked(seed=k))) for k in range(150)]
        await until(lambda: server.seen.in_flight == 150)
        server.open.set()
        await asyncio.gather(*tasks)
    await backend.aclose()
    assert server.seen.as_json()["connections"] == 150


async def test_stop_strings_on_a_server_that_tells_which_one_matched(server: Server) -> None:
    server.behaviour.tells_stop = True
    stops = asked(stop=("=", "\n\n"), keep_stop=True)
    for backend in (backend_for(server), backend_for(server, keeps_stop=True)):
        (draw,) = await backend.generate(stops)
        assert (draw.finish, draw.stop_string) == ("stop", "=")
        assert draw.text.endswith("=")
        assert draw.text.count("=") == 1
        (ended,) = await backend.generate(asked(stop=("no such",), keep_stop=True))
        assert (ended.finish, ended.stop_string) == ("end", None)
        await backend.aclose()


async def test_stop_strings_on_a_server_that_does_not_tell(server: Server) -> None:
    backend = backend_for(server)
    assert not backend.capabilities.knows_stop
    (one,) = await backend.generate(asked(stop=("=",), keep_stop=True))
    assert (one.finish, one.stop_string, one.text[-1]) == ("stop", None, "=")
    (two,) = await backend.generate(asked(stop=("=", "\n\n"), keep_stop=True))
    assert two.text == one.text[:-1]
    (none,) = await backend.generate(asked())
    assert none.finish == "end"
    await backend.aclose()


async def test_what_is_sent(server: Server) -> None:
    schema = json.dumps({"type": "object", "properties": {"score": {"type": "number"}}})
    extra = {"top_k": -1, "top_p": None, "stream_options": {"continuous_usage_stats": True}}
    declared = {"continue_message": True, "json_schema": True}
    backend = backend_for(server, extra=extra, capabilities=declared, max_tokens_field="max_completion_tokens")
    messages = (system("Be brief."), user("Hi"), assistant("So"))
    request = Request(messages=messages, max_tokens=9, temperature=0.5, stop=("x",), json_schema=schema)
    (draw,) = await backend.generate(request)
    await backend.aclose()
    body = server.seen.last_body
    assert body.pop("response_format")["json_schema"]["schema"] == json.loads(schema)
    assert "score" in json.loads(draw.text)
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "So"},
        ],
        "temperature": 0.5,
        "max_completion_tokens": 9,
        "stop": ["x"],
        "top_k": -1,
        "continue_final_message": True,
        "add_generation_prompt": False,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }


async def test_what_a_server_would_get_wrong_is_refused_unsent(server: Server) -> None:
    error = await failure(backend_for(server), Request(messages=(user("Hi"), assistant("So"))))
    assert "continue_message" in str(error)
    error = await failure(backend_for(server, capabilities={"n": False}), asked(n=2))
    assert not error.retryable
    assert server.seen.calls == 0


@pytest.mark.parametrize(
    ("status", "text", "retryable"),
    [
        (500, "x", True),
        (502, "x", True),
        (503, "x", True),
        (504, "x", True),
        (429, "x", True),
        (408, "x", True),
        (409, "x", True),
        (404, "no", False),
        (401, "key?", False),
        (400, "bad field", False),
        (429, "insufficient_quota", False),
    ],
)
async def test_statuses(server: Server, status: int, text: str, retryable: bool) -> None:
    server.behaviour.status, server.behaviour.error = status, text + "!" * 500
    error = await failure(backend_for(server), asked())
    assert error.retryable is retryable
    assert type(error) is (Unavailable if status in (502, 503) else BackendError)
    assert f"/v1/chat/completions: HTTP {status}" in str(error)
    assert text in str(error)
    assert len(str(error)) < 350


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 2048 tokens. However, you requested 3000 tokens",
        "the request exceeds the available context size, try increasing it",
        "code: context_length_exceeded",
        "max_tokens must be at least 1, got 0.",  # vLLM 0.32, of a prompt that leaves no room
        "max_tokens=512 cannot be greater than max_model_len=max_total_tokens=256",
    ],
)
async def test_a_prompt_that_is_too_long_is_a_context_overflow(server: Server, text: str) -> None:
    server.behaviour.status, server.behaviour.error = 400, text
    assert isinstance(await failure(backend_for(server), asked()), ContextOverflow)


async def test_retry_after_is_read(server: Server) -> None:
    server.behaviour.limited, server.behaviour.retry_after = 1, "2.5"
    error = await failure(backend_for(server), asked())
    assert error.retryable
    assert error.retry_after_seconds == 2.5


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", 28.0),
        ("Wed, 21 Oct 2015 07:27:00 GMT", 0.0),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
        ("soon", None),
        ("1e999", None),
        ("nan", None),
    ],
)
def test_a_retry_after_that_is_a_date_is_read_and_an_odd_one_is_none(told: str, seconds: float | None) -> None:
    error = refusal("here", 429, "", {"Retry-After": told}, 1445412452.0)
    assert (error.retryable, error.retry_after_seconds) == (True, seconds)


@pytest.mark.parametrize("share", ["malformed", "truncate"])
async def test_a_broken_answer_is_retryable(server: Server, share: str) -> None:
    setattr(server.behaviour, share, 1.0)
    assert (await failure(backend_for(server), asked())).retryable


@pytest.mark.parametrize("end", [b'data: {"error": {"message": "out of memory", "code": 500}}', b"data: {nonsense"])
@pytest.mark.parametrize("after", [0, 2 * PARSED_BYTES])
async def test_what_came_before_a_broken_event_is_charged_once(end: bytes, after: int) -> None:
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "a "}}]}\n\n'
    stream = event * 2_000 + end + b"\n\n" + b":" * after

    async def chunks() -> AsyncIterator[bytes]:
        for begin in range(0, len(stream), 4096):
            yield stream[begin : begin + 4096]

    response: Any = SimpleNamespace(content=SimpleNamespace(iter_any=chunks))
    progress = Progress()
    with pytest.raises(BackendError):
        await _follow(response, Answer(asked(), "here"), progress, Usage(), 3)
    assert progress.usage == Usage(3, 2_000, calls=1, exact=False)


async def test_a_hung_connection_times_out(server: Server) -> None:
    server.behaviour.hang = 1.0
    error = await failure(backend_for(server, timeout_seconds=0.1), asked())
    assert error.retryable
    assert "0.1 s" in str(error)
    error = await failure(backend_for(server, first_byte_timeout_seconds=0.1), asked())
    assert error.retryable


async def test_a_server_that_is_not_there_is_retryable(server: Server) -> None:
    await server.stop()
    assert (await failure(backend_for(server), asked())).retryable


async def test_a_server_that_was_restarted_is_found_again(server: Server) -> None:
    backend = backend_for(server)
    await asyncio.gather(*(backend.generate(asked(seed=k)) for k in range(5)))
    await server.stop()
    await server.start()
    answers = 0
    while answers < 5:  # kept connections may be found dead, which is a retryable failure
        try:
            answers += len(await backend.generate(asked()))
        except BackendError as error:
            if not error.retryable:
                raise
    await backend.aclose()


async def test_a_kept_connection_that_the_server_drops_is_not_a_failure(server: Server) -> None:
    server.behaviour.answers_per_connection = 1
    backend, progress = backend_for(server), Progress()
    for seed in range(6):
        await backend.generate(asked(seed=seed), progress)
    await asyncio.gather(*(backend.generate(asked(seed=seed)) for seed in range(20)))
    await backend.aclose()
    assert progress.usage.calls == 6
    assert server.seen.calls == 26


async def test_secrets_are_in_the_header_and_nowhere_else(server: Server) -> None:
    backend = backend_for(server, api_key=SECRET + "\n")
    await backend.generate(asked())
    assert server.seen.last_headers["Authorization"] == f"Bearer {SECRET}"
    server.behaviour.status, server.behaviour.error = 401, f"Incorrect key {SECRET}"
    with pytest.raises(BackendError) as caught:
        await backend.generate(asked())
    options = Options(url=server.url, model="m", api_key=SECRET)  # type: ignore[arg-type]
    for shown in (str(caught.value), repr(backend), repr(options), options.model_dump_json(), repr(backend.identity)):
        assert SECRET not in shown
    await backend.aclose()
    with pytest.raises(ValidationError) as refused:
        Options(url=server.url, model="m", api_key=SECRET + "\x00")  # type: ignore[arg-type]
    assert SECRET not in str(refused.value)


def test_identity_is_the_model_and_extra_but_not_the_address() -> None:
    def identity(url: str, **options: object) -> object:
        return build(Options(url=url, model="m", **options)).identity  # type: ignore[arg-type]

    assert identity("http://a/v1") == identity("https://b:8000/v1", api_key="k", max_in_flight=3)
    assert identity("http://a/v1") != identity("http://a/v1", extra={"top_k": 5})


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "localhost:8000"},
        {"url": "http://u:p@h/v1"},
        {"capabilities": {"no": True}},
        {"capabilities": {"pooling": True}},
        {"model": ""},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Options(**({"url": "http://h/v1", "model": "m"} | wrong))  # type: ignore[arg-type]


def test_prompts_are_bounded_from_above() -> None:
    backend = build(Options(url="http://h/v1", model="m"))
    assert backend.count_prompt(Request(token_ids=(1, 2, 3))) == (3, True)
    assert backend.count_prompt(Request(prompt="häß")) == (6, False)
    count, exact = backend.count_prompt(Request(messages=(user("x" * 100),)))
    assert count > 110
    assert not exact


async def test_a_closed_backend_refuses_without_a_failure_for_the_record(server: Server) -> None:
    backend = backend_for(server)
    await backend.generate(asked())
    await backend.aclose()
    with pytest.raises(Suspended):
        await backend.generate(asked(seed=8))
    assert server.seen.calls == 1
