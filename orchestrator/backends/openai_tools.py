"""Tools and the calls that models make of them, in the form of the OpenAI protocol. Pure.

A streamed call comes in pieces: its name in the first, its arguments' text spread over all. What a model wrote as
arguments is kept as text, unparsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Tool, ToolCall


@lru_cache(maxsize=64)
def tools_wire(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """Tools as a request's field ``tools``; BackendError where the parameters of one are no JSON."""
    return [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": _parameters(t)},
        }
        for t in tools
    ]


def _parameters(tool: Tool) -> object:
    try:
        return json.loads(tool.parameters)
    except ValueError as error:
        raise BackendError(f"the parameters of the tool '{tool.name}' are no JSON: {error}") from None


def calls_wire(calls: Iterable[ToolCall]) -> list[dict[str, Any]]:
    """Calls as an assistant's message holds them."""
    return [{"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in calls]


@dataclass(slots=True)
class Calls:
    """The calls of one choice as far as they have come."""

    pieces: dict[int, list[str]] = field(default_factory=dict)

    def take(self, wire: Sequence[dict[str, Any]]) -> None:
        """Add pieces of calls, or whole ones; a piece without index is a call of its own."""
        for part in wire:
            call = self.pieces.setdefault(part.get("index", len(self.pieces)), ["", "", ""])
            function = part.get("function") or {}
            call[0] += part.get("id") or ""
            call[1] += function.get("name") or ""
            call[2] += function.get("arguments") or ""

    def whole(self) -> tuple[ToolCall, ...]:
        """The calls, in order."""
        return tuple(ToolCall(call[0], call[1], call[2]) for _, call in sorted(self.pieces.items()))
