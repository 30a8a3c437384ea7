"""Answers of OpenAI-compatible servers: server-sent events and JSON, collected into draws. Pure.

1. ``Events`` cuts a byte stream, split anywhere, into the payloads of its events.
2. ``Answer.take`` adds payloads: pieces of some of the n choices (or, not streamed, all of them whole).
3. ``Answer.draws`` checks that every choice ended and divides the usage among them.

Whether a stop string matched or the model ended by itself is told by vLLM (``stop_reason``) and SGLang
(``matched_stop``). A plain server says "stop" to both. Then, if stop strings were asked for, "stop" is
reported (``stop_string`` None), since a step taken for a whole answer loses the rest of it, while an answer
taken for a step costs one more call, which comes back empty. ``keep_stop`` puts the string back if only one
was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from branchwise.orchestrator.backends.openai_errors import excerpt, stream_error
from branchwise.orchestrator.backends.openai_request import prompt_bound
from branchwise.orchestrator.backends.openai_tools import Calls
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Finish, Request, TokenLogprob
from branchwise.orchestrator.core.usage import Usage

BYTES_PER_TOKEN = 4
_UNKNOWN = object()
MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
_CUT_OFF = frozenset({"length", "max_tokens", "content_filter"})
_BROKEN = frozenset({"abort", "error"})


class Events:
    """An incremental parser of server-sent events; comments and fields other than ``data`` are skipped."""

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads of the events that ``chunk`` completes."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        data, events = self._data, []
        for line in lines:
            if line[:5] == b"data:":
                data.append(line[5:].strip())
            elif data and line in (b"", b"\r"):
                events.append(data[0] if len(data) == 1 else b"\n".join(data))
                data.clear()
        return events

    def close(self) -> list[bytes]:
        """What was left without its empty line: some servers end so."""
        return self.feed(b"\n\n")


@dataclass(slots=True)
class _Choice:
    """One of the n samples as far as it has come."""

    text: list[str] = field(default_factory=list)
    pieces: int = 0
    finish: str | None = None
    stop: object = _UNKNOWN
    logprobs: list[TokenLogprob] = field(default_factory=list)
    calls: Calls | None = None


class Answer:
    """The n choices of one request, growing; ``usage`` is the server's count so far, ``pieces`` ours."""

    __slots__ = ("_choices", "_kept", "_logprobs", "_model", "_request", "_scrub", "_where", "pieces", "usage")

    def __init__(
        self,
        request: Request,
        where: str,
        stop_is_kept: bool = False,
        scrub: Callable[[str], str] = lambda text: text,
    ) -> None:
        self._request = request
        self._where = where
        self._scrub = scrub
        self._kept = stop_is_kept
        self._choices = [_Choice() for _ in range(request.n)]
        self._logprobs = request.logprobs is not None
        self.usage: Usage | None = None
        self._model: str | None = None
        self.pieces = 0

    def take(self, payloads: list[bytes]) -> None:
        """Add some payloads; raises BackendError (retryable) where they are not what the protocol says.

        What comes before a malformed one counts.
        """
        payloads = [payload for payload in payloads if payload != b"[DONE]"]
        try:
            for event in _parsed(payloads):
                self._add(event)
        except MALFORMED as error:
            shown = excerpt(self._scrub(b",".join(payloads).decode("utf-8", "replace")))
            raise BackendError(f"{self._where}: malformed answer: {shown}", retryable=True) from error

    def _add(self, event: dict[str, Any]) -> None:
        if event.get("error"):
            raise stream_error(self._where, event["error"], self._scrub)
        if event.get("usage"):
            self.usage = usage_of(event["usage"])
        if self._model is None:
            self._model = event.get("model")
        for part in event["choices"]:
            if (index := part.get("index", 0)) < 0:
                raise ValueError("index of a choice")
            self._add_choice(index, part)

    def _add_choice(self, index: int, part: dict[str, Any]) -> None:
        choice = self._choices[index]
        message = part.get("delta") or part.get("message")
        text = message.get("content") if message else part.get("text")
        finish = part.get("finish_reason")
        if text:
            choice.text.append(text)
        if message and message.get("tool_calls"):
            choice.calls = choice.calls or Calls()
            choice.calls.take(message["tool_calls"])
        if text or finish or (message and "role" not in message):
            choice.pieces += 1
            self.pieces += 1
        if finish:
            choice.finish = finish
            choice.stop = part.get("stop_reason", part.get("matched_stop", _UNKNOWN))
        if self._logprobs and part.get("logprobs"):
            choice.logprobs.extend(_logprobs(part["logprobs"]))

    def draws(self) -> tuple[Draw, ...]:
        """The n draws, in order; their usage is estimated where the server gave none."""
        try:
            shares = self._shares()
            return tuple(self._draw(c, usage) for c, usage in zip(self._choices, shares, strict=True))
        except MALFORMED as error:
            raise BackendError(f"{self._where}: malformed answer", retryable=True) from error

    def _draw(self, choice: _Choice, usage: Usage) -> Draw:
        if choice.finish is None or choice.finish in _BROKEN:
            raise BackendError(
                f"{self._where}: answer was cut short ({choice.finish or 'no finish_reason'})", retryable=True
            )
        if self._logprobs and not choice.logprobs and choice.text:
            raise BackendError(f"{self._where}: log-probabilities were asked for and not sent")
        finish, matched = self._finish(choice)
        text = "".join(choice.text)
        if finish == "stop" and self._request.keep_stop and not self._kept:
            only = self._request.stop[0] if len(self._request.stop) == 1 else ""
            text += matched if matched is not None else only
        calls = choice.calls.whole() if choice.calls else ()
        return Draw(text, finish, usage, matched, self._model, tuple(choice.logprobs), tool_calls=calls)

    def _finish(self, choice: _Choice) -> tuple[Finish, str | None]:
        if choice.finish in _CUT_OFF:
            return "length", None
        if isinstance(choice.stop, str):
            return "stop", choice.stop
        if choice.stop is _UNKNOWN and choice.finish == "stop" and self._request.stop:
            return "stop", None
        return "end", None

    def _counts(self) -> list[int]:
        """Tokens of each choice, as far as pieces tell."""
        return [len(c.logprobs) or c.pieces for c in self._choices]

    def _shares(self) -> Iterator[Usage]:
        """The usage of each choice: sums to the server's; the prompt and the call go to the first."""
        counts = self._counts()
        total = self.usage
        if total is None:
            limit = self._request.max_tokens
            sizes = [sum(len(t.encode("utf-8", "replace")) for t in c.text) for c in self._choices]
            counts = [min(limit, max(c, -(-s // BYTES_PER_TOKEN))) for c, s in zip(counts, sizes, strict=True)]
            total = Usage(prompt_bound(self._request)[0], sum(counts), calls=1, exact=False)
        if len(counts) == 1 and self.usage is not None:
            yield total
            return
        exact = total.exact and (len(counts) == 1 or sum(counts) == total.completion_tokens)
        tokens = _divide(total.completion_tokens, counts)
        reasoning = _divide(total.reasoning_tokens, counts)
        yield Usage(total.prompt_tokens, tokens[0], total.cached_tokens, reasoning[0], 1, 0.0, exact)
        for own, thought in zip(tokens[1:], reasoning[1:], strict=True):
            yield Usage(0, own, 0, thought, 0, 0.0, exact)


def _parsed(payloads: list[bytes]) -> Iterator[Any]:
    """The payloads as JSON: as one list, which takes half the time, or one by one up to the one that is none."""
    try:
        events = json.loads(f"[{b','.join(payloads).decode()}]")
    except (ValueError, RecursionError):
        events = (json.loads(payload.decode()) for payload in payloads)
    yield from events


def usage_of(wire: dict[str, Any]) -> Usage:
    """A server's own count."""
    prompt, completion = wire.get("prompt_tokens_details"), wire.get("completion_tokens_details")
    return Usage(
        _count(wire["prompt_tokens"]),
        _count(wire.get("completion_tokens")),
        _count(prompt.get("cached_tokens") if prompt else 0),
        _count(completion.get("reasoning_tokens") if completion else 0),
        1,
    )


def _count(value: Any) -> int:
    """A number of tokens; ValueError where no model could have used that many."""
    number = int(value or 0)
    if not 0 <= number < 2**48:
        raise ValueError(f"{number} tokens")
    return number


def _divide(total: int, weights: list[int]) -> list[int]:
    """Whole numbers in proportion to ``weights`` that sum to ``total`` (cumulative rounding)."""
    if len(weights) == 1:
        return [total]
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    marks, seen = [0], 0
    for weight in weights:
        seen += weight
        marks.append(total * seen // whole)
    return [end - begin for begin, end in pairwise(marks)]


def _logprobs(wire: dict[str, Any]) -> Iterator[TokenLogprob]:
    """Log-probabilities in the form of chat (``content``) or of completions (parallel lists)."""
    if wire.get("content") is not None:
        for item in wire["content"]:
            top = tuple((t["token"], float(t["logprob"])) for t in item.get("top_logprobs") or ())
            yield TokenLogprob(item["token"], float(item["logprob"]), top)
        return
    tokens = wire["tokens"]
    for token, logprob, alternatives in zip(
        tokens, wire["token_logprobs"], wire.get("top_logprobs") or [None] * len(tokens), strict=True
    ):
        top = tuple((t, float(value)) for t, value in (alternatives or {}).items())
        yield TokenLogprob(token, float(logprob), top)
