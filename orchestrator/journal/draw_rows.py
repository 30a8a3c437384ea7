"""Draws as rows of the journal, and back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from branchwise.orchestrator.core.draws import StoredDraw
from branchwise.orchestrator.core.message import ToolCall
from branchwise.orchestrator.core.request import Draw, TokenLogprob
from branchwise.orchestrator.core.usage import Usage

_PAID: Final = ("prompt_tokens", "completion_tokens", "calls", "money")
_REPLACED: Final = (
    "state", "role", "problem", "node", "model", "prompt", "payload", "error", "overflow", "seconds", "at"
)  # fmt: skip
RECORD: Final = (
    "INSERT INTO draws VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _REPLACED)
    + "".join(
        f", {name} = CASE WHEN draws.reused THEN excluded.{name} WHEN excluded.reused THEN draws.{name} "
        f"ELSE draws.{name} + excluded.{name} END"
        for name in _PAID
    )
    + ", exact = min(draws.exact, excluded.exact), reused = draws.reused AND excluded.reused"
)
"""A draw as a row. One that is there already was cancelled, or kept without its text: both were paid for."""


def read_draw(db: sqlite3.Connection, key: bytes) -> StoredDraw | None:
    """The draw with this key; None where there is none, or where it was recorded without its text."""
    row = db.execute(
        "SELECT state, role, problem, node, model, payload, error, overflow, prompt_tokens, completion_tokens, "
        "calls, money, exact, reused, seconds FROM draws WHERE key = ?", (key,),
    ).fetchone()  # fmt: skip
    if row is None or (row[0] == "ok" and row[5] is None):  # recorded without content: can't be replayed
        return None
    (
        state,
        role,
        problem,
        node,
        model,
        payload,
        error,
        overflow,
        p,
        c,
        calls,
        money,
        exact,
        reused,
        seconds,
    ) = row
    return StoredDraw(
        key, state, role, problem, node, model, Usage(p, c, calls=calls, money=money, exact=bool(exact)), seconds,
        _draw_from(payload) if payload else None, error, bool(overflow), reused=bool(reused),
    )  # fmt: skip


def draw_json(stored: StoredDraw) -> str | None:
    """What the model said, as JSON text."""
    d = stored.draw
    if d is None:
        return None
    u = d.usage
    usage = [
        u.prompt_tokens,
        u.completion_tokens,
        u.cached_tokens,
        u.reasoning_tokens,
        u.calls,
        u.money,
        u.exact,
    ]
    row = [d.text, d.finish, usage, d.stop_string, d.model, _logprob_rows(d.logprobs)]
    more = _more(d)
    return json.dumps([*row, more] if more else row, separators=(",", ":"))


def _more(d: Draw) -> dict[str, Any]:
    """What few draws have, by its name."""
    if not (d.values or d.prompt_logprobs or d.token_ids or d.prompt_ids or d.tool_calls):
        return {}
    rows = {
        "values": d.values,
        "prompt_logprobs": _logprob_rows(d.prompt_logprobs),
        "token_ids": d.token_ids,
        "prompt_ids": d.prompt_ids,
        "tool_calls": [[call.id, call.name, call.arguments] for call in d.tool_calls],
    }
    return {name: value for name, value in rows.items() if value}


def _draw_from(payload: str) -> Draw:
    text, finish, usage, stop_string, model, logprobs, *more = json.loads(payload)
    draw = Draw(text, finish, Usage(*usage), stop_string, model, _logprobs(logprobs))
    return replace(draw, **_from_more(more[0])) if more else draw


def _from_more(rows: dict[str, Any]) -> dict[str, Any]:
    return {name: _READERS[name](value) for name, value in rows.items()}


def _logprob_rows(tokens: tuple[TokenLogprob, ...]) -> list[Any]:
    return [[t.token, t.logprob, t.top] for t in tokens]


def _logprobs(rows: Any) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(token, lp, tuple((t, x) for t, x in top)) for token, lp, top in rows)


_READERS: dict[str, Callable[[Any], Any]] = {
    "values": lambda rows: tuple(map(tuple, rows)),
    "prompt_logprobs": _logprobs,
    "token_ids": tuple,
    "prompt_ids": tuple,
    "tool_calls": lambda rows: tuple(ToolCall(*row) for row in rows),
}


def storable(text: str) -> str:
    """Text that SQLite takes: a lone surrogate from a model becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
