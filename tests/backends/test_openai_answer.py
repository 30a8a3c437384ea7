"""Parsing of answers, without a server: any split of the bytes gives the same draws."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.backends.openai_answer import Answer, Events
from branchwise.orchestrator.backends.openai_errors import retry_after_seconds
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Tool, ToolCall, user
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.usage import Usage

texts = st.lists(st.text(max_size=8), min_size=1, max_size=5)


def stream(choices: list[list[str]], newline: bytes, usage: dict[str, int] | None = None) -> bytes:
    """The choices' pieces in turn (interleaved), with comments and unknown fields between."""
    events: list[object] = []
    for position in range(max(map(len, choices))):
        for index, pieces in enumerate(choices):
            if position < len(pieces):
                events.append({"choices": [{"index": index, "delta": {"content": pieces[position]}}]})
    ends = [{"index": k, "delta": {}, "finish_reason": "stop"} for k in range(len(choices))]
    events.append({"choices": ends})
    if usage:
        events.append({"choices": [], "usage": usage})
    lines = [b"data: " + json.dumps(e, ensure_ascii=False).encode("utf-8", "replace") for e in events]
    between = newline + newline + b": keep-alive" + newline + newline + b"event: message" + newline
    return between.join([*lines, b"data: [DONE]"]) + newline + newline


def parse(data: bytes, cuts: list[int], n: int) -> tuple[Draw, ...]:
    answer, events = Answer(Request(messages=(user("x"),), n=n), "here"), Events()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        answer.take(events.feed(data[begin:end]))
    answer.take(events.close())
    return answer.draws()


@given(st.lists(texts, min_size=1, max_size=3), st.lists(st.integers(0, 10**6), max_size=40), st.booleans())
def test_any_split_of_the_stream_gives_the_same_draws(
    choices: list[list[str]], cuts: list[int], windows: bool
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 11}
    data = stream(choices, b"\r\n" if windows else b"\n", usage)
    draws = parse(data, cuts, len(choices))
    assert draws == parse(data, [], len(choices)) == parse(data, list(range(len(data))), len(choices))
    expected = ["".join(p).encode("utf-8", "replace").decode() for p in choices]
    assert [d.text for d in draws] == expected
    assert sum((d.usage for d in draws), Usage()).tokens == 14


def test_what_comes_before_a_malformed_event_counts() -> None:
    answer = Answer(Request(prompt="x"), "here")
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    good = json.dumps({"choices": [{"index": 0, "text": "a"}], "usage": usage}).encode()
    with pytest.raises(BackendError, match="malformed"):
        answer.take([good, good[:-9]])
    assert answer.usage == Usage(3, 5, calls=1)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_garbage_is_a_backend_error_and_nothing_else(data: bytes, cuts: list[int]) -> None:
    with pytest.raises(BackendError) as caught:
        parse(b"data: " + data, cuts, 1)
    assert caught.value.retryable


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "index", "delta", "content", "usage", "text", "finish_reason", "logprobs", "error"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_of_any_shape_gives_draws_or_a_backend_error(value: object) -> None:
    answer = Answer(Request(prompt="x", logprobs=1), "here")
    try:
        answer.take([json.dumps({"choices": [value]}).encode(), json.dumps(value).encode()])
        draws = answer.draws()
    except BackendError:
        return
    assert isinstance(draws[0].text, str)


def test_a_stream_that_ends_early_is_retryable_and_one_without_its_last_line_is_not_lost() -> None:
    data = stream([["a", "b"]], b"\n")
    assert parse(data.rstrip(), [], 1)[0].text == "ab"
    assert parse(data[: data.index(b"data: [DONE]")], [], 1)[0].text == "ab"
    with pytest.raises(BackendError, match="cut short") as caught:
        parse(data[: data.index(b"data: ", 10)], [], 1)
    assert caught.value.retryable
    with pytest.raises(BackendError, match="cut short"):
        parse(data, [], 2)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [({"message": "engine died", "code": 500}, True), ({"message": "bad", "code": 400}, False), ("odd", True)],
)
def test_error_objects_in_a_stream(error: object, retryable: bool) -> None:
    answer = Answer(Request(prompt="x"), "here")
    with pytest.raises(BackendError) as caught:
        answer.take([json.dumps({"error": error}).encode()])
    assert caught.value.retryable is retryable


def test_secrets_are_scrubbed_from_malformed_answers() -> None:
    answer = Answer(Request(prompt="x"), "here", scrub=lambda text: text.replace("KEY", "***"))
    with pytest.raises(BackendError) as caught:
        answer.take([b"{KEY"])
    assert "KEY" not in str(caught.value)
    with pytest.raises(BackendError) as caught:
        answer.take([b'{"error": {"message": "KEY is wrong"}}'])
    assert "KEY" not in str(caught.value)


def test_reasoning_and_cached_tokens_are_counted() -> None:
    answer = Answer(Request(prompt="x"), "here")
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    answer.take([json.dumps({"choices": [{"text": "y", "finish_reason": "length"}], "usage": usage}).encode()])
    (draw,) = answer.draws()
    assert draw.usage == Usage(9, 5, 8, 3, calls=1)
    assert draw.finish == "length"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_as_seconds_milliseconds_and_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, datetime(2026, 1, 1, tzinfo=UTC).timestamp()) == seconds


def _called(*pieces: dict[str, object], whole: bool = False) -> Draw:
    answer = Answer(Request(messages=(user("x"),), tools=(Tool("add"), Tool("stop"))), "here")
    for piece in pieces:
        part = {"index": 0, "message" if whole else "delta": piece, "finish_reason": "tool_calls" if whole else None}
        answer.take([json.dumps({"choices": [part]}).encode()])
    if not whole:
        answer.take([json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}).encode()])
    return answer.draws()[0]


def test_calls_of_tools_come_whole_or_in_pieces_and_their_arguments_stay_text() -> None:
    def call(index: int | None, id: str | None, name: str | None, arguments: str) -> dict[str, object]:
        function = {"arguments": arguments} | ({"name": name} if name else {})
        return {"function": function} | ({"id": id} if id else {}) | ({} if index is None else {"index": index})

    pieces = [
        {"role": "assistant", "content": None, "tool_calls": [call(0, "c1", "add", "")]},
        {"tool_calls": [call(0, None, None, '{"a": ')]},
        {"tool_calls": [call(1, "c2", "stop", "{"), call(0, None, None, "1}")]},
        {"tool_calls": [call(1, None, None, "not JSON")]},
    ]
    whole = [call(None, "c1", "add", '{"a": 1}'), call(None, "c2", "stop", "{not JSON")]
    expected = (ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "stop", "{not JSON"))
    for draw in (_called(*pieces), _called({"role": "assistant", "tool_calls": whole}, whole=True)):
        assert (draw.text, draw.finish, draw.tool_calls) == ("", "end", expected)
