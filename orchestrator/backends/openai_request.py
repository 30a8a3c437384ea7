"""A Request as the JSON body of an OpenAI-compatible server. Pure: no network, no aiohttp.

Temperature and top_p are always sent, so that a server's own defaults never change a draw unseen. Fields
that only some servers know are sent where the options say that this one does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from branchwise.orchestrator.backends.openai_tools import calls_wire, tools_wire
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Message, Text, ToolCall, ToolResult
from branchwise.orchestrator.core.request import Capabilities, Request

Endpoint = Literal["chat/completions", "completions"]
TOKENS_PER_MESSAGE = 16
TOKENS_PER_TEMPLATE = 64


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server wants to be asked. ``extra`` fields win over ours; None removes a field."""

    model: str
    capabilities: Capabilities
    streaming: bool = True
    keeps_stop: bool = False
    max_tokens_field: str = "max_tokens"
    extra: Mapping[str, Any] | None = None


def endpoint_of(request: Request) -> Endpoint:
    """The path that answers this kind of request."""
    return "chat/completions" if request.messages else "completions"


def body_of(request: Request, dialect: Dialect) -> bytes:
    """The body, encoded; raises BackendError where this server would answer something else than was asked."""
    return json.dumps(fields_of(request, dialect)).encode()


def fields_of(request: Request, dialect: Dialect) -> dict[str, Any]:
    """The fields of the body; raises BackendError where this server would answer something else."""
    fields: dict[str, Any] = {
        "model": dialect.model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        dialect.max_tokens_field if request.messages else "max_tokens": request.max_tokens,
    }
    _add_prompt(fields, request, dialect.capabilities)
    _add_sampling(fields, request, dialect)
    if dialect.streaming:
        fields["stream"] = True
        fields["stream_options"] = {"include_usage": True}
    if dialect.extra:
        add_extra(fields, dialect.extra)
    return fields


def _add_prompt(fields: dict[str, Any], request: Request, capabilities: Capabilities) -> None:
    if request.messages:
        fields["messages"] = [item for message in request.messages for item in wire(message)]
        if request.messages[-1].role == "assistant":
            if not capabilities.continue_message:
                raise BackendError(
                    "this server is not known to continue an assistant's message: it would answer; "
                    "if it does (vLLM), set capabilities: {continue_message: true}"
                )
            fields["continue_final_message"] = True
            fields["add_generation_prompt"] = False
    else:
        fields["prompt"] = request.prompt if request.prompt is not None else request.token_ids


def _add_sampling(fields: dict[str, Any], request: Request, dialect: Dialect) -> None:
    if request.n > 1:
        if not dialect.capabilities.n:
            raise BackendError(f"n={request.n} was asked of a server that is declared to have no n")
        fields["n"] = request.n
    if request.seed is not None and dialect.capabilities.seed:
        fields["seed"] = request.seed
    if request.stop:
        fields["stop"] = request.stop
        if request.keep_stop and dialect.keeps_stop:
            fields["include_stop_str_in_output"] = True
    if request.logprobs is not None:
        if request.messages:
            fields["logprobs"] = True
            fields["top_logprobs"] = request.logprobs
        else:
            fields["logprobs"] = request.logprobs
    if request.json_schema is not None:
        fields["response_format"] = _response_format(request.json_schema)
    if request.tools:
        if not request.messages:
            raise BackendError("tools are offered in chats only: this request is a plain text")
        fields["tools"] = tools_wire(request.tools)


def add_extra(fields: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Put a user's own fields over ours; None removes one."""
    for name, value in extra.items():
        if value is None:
            fields.pop(name, None)
        elif name == "stream_options" and "stream_options" in fields:
            fields[name] = fields[name] | value
        else:
            fields[name] = value


@lru_cache(maxsize=64)
def _response_format(schema: str) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": json.loads(schema), "strict": True},
    }


def wire(message: Message) -> list[dict[str, Any]]:
    """A message as one or several of the protocol's."""
    parts = message.parts
    if len(parts) == 1 and isinstance(parts[0], Text):
        return [{"role": message.role, "content": parts[0].text}]
    results = [{"role": "tool", "tool_call_id": p.id, "content": p.text} for p in parts if isinstance(p, ToolResult)]
    calls = [p for p in parts if isinstance(p, ToolCall)]
    if results and len(results) == len(parts):
        return results
    whole: dict[str, Any] = {"role": message.role, "content": message.text}
    if calls:
        whole["tool_calls"] = calls_wire(calls)
    return [*results, whole]


def prompt_bound(request: Request) -> tuple[int, bool]:
    """Prompt tokens and whether that is exact: token ids are, text is bounded by its UTF-8 bytes.

    A byte-level tokenizer never makes more tokens than bytes; the chat template's own tokens (and a default
    system message) are covered by an allowance.
    """
    if request.token_ids is not None:
        return len(request.token_ids), True
    if request.prompt is not None:
        document = 0 if request.document is None else _size(request.document) + TOKENS_PER_MESSAGE
        return _size(request.prompt) + 1 + document, False
    total = TOKENS_PER_TEMPLATE
    for message in request.messages:
        total += TOKENS_PER_MESSAGE
        for part in message.parts:
            if isinstance(part, Text | ToolResult):
                total += _size(part.text)
            else:
                total += TOKENS_PER_MESSAGE + _size(part.name) + _size(part.arguments)
    return total, False


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
