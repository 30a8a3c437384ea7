"""Draws as rows of the journal, and back."""

from __future__ import annotations

import json
import sqlite3

from branchwise.orchestrator.core.draws import StoredDraw
from branchwise.orchestrator.core.request import Draw, TokenLogprob
from branchwise.orchestrator.core.usage import Usage


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
    row = [d.text, d.finish, usage, d.stop_string, d.model, [[t.token, t.logprob, t.top] for t in d.logprobs]]
    return json.dumps(row, separators=(",", ":"))


def _draw_from(payload: str) -> Draw:
    text, finish, usage, stop_string, model, logprobs = json.loads(payload)
    tokens = tuple(TokenLogprob(token, lp, tuple((t, x) for t, x in top)) for token, lp, top in logprobs)
    return Draw(text, finish, Usage(*usage), stop_string, model, tokens)


def storable(text: str) -> str:
    """Text that SQLite takes: a lone surrogate from a model becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
