"""What is sent to llama.cpp's completion route, and how its stream of pieces becomes draws.

The route speaks the OpenAI form with extensions; three of them matter here:

- ``verbose`` adds the native answer, whose ``stop_type`` tells a matched stop string ("word", and which) from
  the model's own end ("eos") and from the limit ("limit"). The OpenAI form calls the first two "stop".
- ``samplers`` names the whole sampling chain. Only temperature and then top_p are left in it, in the order
  that vLLM and OpenAI use; llama.cpp's own chain cuts rare tokens by default.
- ``n`` runs siblings that share the prompt's computation; the k-th has seed + k, as if asked for alone.

What the figures are (tested): ``completion_tokens`` counts every token that was sampled, so the
end-of-sequence token and those that completed a stop string too. Log-probabilities are of the raw
distribution, before temperature and top_p, the same at temperature 0; the end-of-sequence token has one, with
the text "". A token that only completes a character of several bytes later has none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from branchwise.orchestrator.core.errors import BackendError, ContextOverflow
from branchwise.orchestrator.core.request import Draw, Finish, Request, TokenLogprob
from branchwise.orchestrator.core.usage import Usage

FINISH: Final[dict[str, Finish]] = {"eos": "end", "word": "stop", "limit": "length"}
SEEDS = 2**32 - 1  # the last 32-bit number means "any seed" to the engine
LONG_PROMPT_BYTES = 512
"""Longer prompts report progress while they are read, so that they can be cancelled meanwhile."""

Prompt = str | tuple[int, ...]


def body_of(request: Request, prompt: Prompt, count: int, first: int, *, cache_prompt: bool) -> bytes:
    """The body that asks for draws ``first`` to ``first + count - 1`` of a request."""
    body: dict[str, Any] = {
        "prompt": prompt,
        "n": count,
        "max_tokens": request.max_tokens,
        "samplers": ["temperature", "top_p"],
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": request.stop,
        "cache_prompt": cache_prompt,
        "stream": True,
        "verbose": True,
        "return_progress": len(prompt) > LONG_PROMPT_BYTES,
    }
    if request.seed is not None:
        body["seed"] = (request.seed + first) % SEEDS
    if request.logprobs is not None:
        body["logprobs"] = max(1, request.logprobs)
    if request.json_schema is not None:
        body["json_schema"] = _schema(request.json_schema)
    return json.dumps(body).encode()


def _schema(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BackendError(f"the request's json_schema is not JSON: {error}") from error


def refusal(error: dict[str, Any]) -> BackendError:
    """The engine's refusal as an error of ours."""
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return ContextOverflow(message)
    return BackendError(f"llama.cpp: {message}", retryable=error.get("code") == 503)


@dataclass(slots=True)
class _Sibling:
    """One of the draws that are being streamed."""

    pieces: list[str] = field(default_factory=list)
    tokens: int = 0
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    final: dict[str, Any] | None = None


class Answers:
    """Takes the pieces of a stream and makes draws of them. Not for several threads at once."""

    def __init__(self, request: Request, count: int, first: int, name_of: Callable[[int], str]) -> None:
        self._request = request
        self._first = first
        self._name_of = name_of
        self._siblings = [_Sibling() for _ in range(count)]
        self._tokens = 0
        self._prompt_tokens = 0
        self._cached_tokens = 0

    def take(self, data: bytes) -> None:
        """Take one piece; raises the engine's refusal if it is one."""
        piece = json.loads(data)
        if "error" in piece:
            raise refusal(piece["error"])
        choice, native = piece["choices"][0], piece.get("__verbose")
        if native is None:
            return
        sibling = self._siblings[choice["index"]]
        self._tokens += native["tokens_predicted"] - sibling.tokens
        sibling.tokens = native["tokens_predicted"]
        self._prompt_tokens = native["tokens_evaluated"]
        sibling.pieces.append(choice["text"])
        if choice["logprobs"]:
            sibling.logprobs += choice["logprobs"]["content"]
        if native["stop"]:
            sibling.final = native
            if sibling is self._siblings[0]:
                self._cached_tokens = piece["usage"]["prompt_tokens_details"]["cached_tokens"]

    @property
    def usage(self) -> Usage:
        """What all of them used so far; the prompt and the call are charged with the request's first draw."""
        return self._share(0, self._tokens)

    def draws(self, model: str) -> list[Draw]:
        """The finished draws; raises BackendError if the stream broke off."""
        return [self._draw(k, sibling, model) for k, sibling in enumerate(self._siblings)]

    def _share(self, k: int, tokens: int) -> Usage:
        if k or self._first:
            return Usage(completion_tokens=tokens)
        return Usage(self._prompt_tokens, tokens, self._cached_tokens, calls=1)

    def _draw(self, k: int, sibling: _Sibling, model: str) -> Draw:
        native = sibling.final
        if native is None or native["stop_type"] not in FINISH:
            raise BackendError("llama.cpp gave no answer: the prompt is empty or the engine was stopped")
        finish = FINISH[native["stop_type"]]
        matched = native["stopping_word"] if finish == "stop" else None
        text = "".join(sibling.pieces) + (matched if matched and self._request.keep_stop else "")
        return Draw(text, finish, self._share(k, sibling.tokens), matched, model, self._logprobs(sibling, finish))

    def _logprobs(self, sibling: _Sibling, finish: Finish) -> tuple[TokenLogprob, ...]:
        if self._request.logprobs is None:
            return ()
        last = len(sibling.logprobs) - 1
        return tuple(
            self._logprob(entry, ended=finish == "end" and place == last)
            for place, entry in enumerate(sibling.logprobs)
        )

    def _logprob(self, entry: dict[str, Any], *, ended: bool) -> TokenLogprob:
        """The engine names a token by the text it sent with it, which is wrong around stop strings."""
        alternatives = [(other["id"], other["token"], _nats(other["logprob"])) for other in entry["top_logprobs"]]
        named = {number: name for number, name, _ in alternatives}
        name = "" if ended else named.get(entry["id"])
        top = tuple((name, nats) for _, name, nats in alternatives[: self._request.logprobs])
        return TokenLogprob(self._name_of(entry["id"]) if name is None else name, _nats(entry["logprob"]), top)


def _nats(value: float | None) -> float:
    return -math.inf if value is None else value
