"""What vLLM's engine gives for a request, as draws. Pure: vLLM's objects are read, nothing of it is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from branchwise.orchestrator.backends.vllm_structured import check_structure
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Finish, Request, TokenLogprob
from branchwise.orchestrator.core.usage import Usage

Decode = Callable[[list[int]], str]


def draws_of(request: Request, output: Any, decode: Decode, model: str) -> tuple[Draw, ...]:
    """The draws of a finished request (a RequestOutput), in order; BackendError where it was not finished."""
    if output is None or not output.finished or len(output.outputs) != request.n:
        raise BackendError("the engine ended a request before it was finished")
    draws = tuple(
        _draw(request, output, one, decode, model) for one in sorted(output.outputs, key=lambda one: one.index)
    )
    for draw in draws:
        check_structure(request, draw)
    return draws


def _draw(request: Request, output: Any, one: Any, decode: Decode, model: str) -> Draw:
    first, scored = one.index == 0, request.prompt_logprobs and not request.max_tokens
    finish, stop = _finish(one)
    ids = tuple(one.token_ids) if stop and request.keep_stop and decode(list(one.token_ids)) == one.text else ()
    told = output.prompt_logprobs if request.prompt_logprobs else ()
    prompt_ids = tuple(output.prompt_token_ids) if ids and request.token_ids is None else ()
    return Draw(
        "" if scored else one.text,
        finish,
        Usage(
            len(output.prompt_token_ids) if first else 0,
            0 if scored else len(one.token_ids),
            int(output.num_cached_tokens or 0) if first else 0,
            calls=int(first),
        ),
        stop,
        model,
        logprobs=()
        if scored or request.logprobs is None
        else _logprobs(one.token_ids, one.logprobs, request.logprobs),
        prompt_logprobs=_logprobs(output.prompt_token_ids, told),
        token_ids=ids,
        prompt_ids=prompt_ids,
    )


def _finish(one: Any) -> tuple[Finish, str | None]:
    if one.finish_reason == "length":
        return "length", None
    if one.finish_reason != "stop":
        raise BackendError(f"the engine ended a draw by '{one.finish_reason}'")
    return ("stop", one.stop_reason) if isinstance(one.stop_reason, str) else ("end", None)


def _logprobs(
    ids: Iterable[int], entries: Iterable[Mapping[int, Any] | None], top: int = 0
) -> tuple[TokenLogprob, ...]:
    """Each token's own, with the likeliest where they are wanted; the first of a prompt has none."""
    found = []
    for token, entry in zip(ids, entries, strict=False):
        if entry is not None:
            others = tuple((each.decoded_token, float(each.logprob)) for each in entry.values()) if top else ()
            found.append(TokenLogprob(entry[token].decoded_token, float(entry[token].logprob), others))
    return tuple(found)
