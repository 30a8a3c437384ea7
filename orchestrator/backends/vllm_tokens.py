"""Tokens: what a server's tokenizer makes of a text or of messages (/tokenize), and of ids (/detokenize)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from branchwise.orchestrator.backends.openai_answer import MALFORMED
from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.core.errors import BackendError

_Found = TypeVar("_Found")


async def ids_of(asked: Mapping[str, Any], model: str, connection: Connection) -> tuple[int, ...]:
    """The ids of a prompt or of messages, asked for in /tokenize's fields; raises BackendError."""
    return await _told("tokenize", asked, model, connection, lambda answer: tuple(map(int, answer["tokens"])))


async def text_of(ids: Sequence[int], model: str, connection: Connection) -> str:
    """What these ids are as text; raises BackendError."""
    return await _told("detokenize", {"tokens": list(ids)}, model, connection, lambda answer: str(answer["prompt"]))


async def _told(
    path: str, asked: Mapping[str, Any], model: str, connection: Connection, read: Callable[[Any], _Found]
) -> _Found:
    answer = await connection.post(path, json.dumps({"model": model, **asked}).encode())
    try:
        return read(json.loads(answer))
    except MALFORMED as error:
        raise BackendError(f"{connection.where}: malformed answer of /{path}") from error
