"""StoredDraw and DrawStore: how a draw is remembered, and by whom.

The store is the journal (orchestrator/journal); the wrapper that asks it is backends/journalling.py. They
meet here so that neither imports the other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, Protocol

from branchwise.orchestrator.core.request import Draw, Identity, Request
from branchwise.orchestrator.core.usage import NOTHING, Usage

_KEYED_IF_SET = ("pooling", "document", "prompt_logprobs", "labels", "choices", "regex", "tools")

DrawState = Literal["ok", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class StoredDraw:
    """The terminal state of one draw. ``paid`` is what was really spent on it, failed attempts included."""

    key: bytes
    state: DrawState
    role: str
    problem_id: str
    node: str
    model: str
    paid: Usage
    seconds: float
    draw: Draw | None = None
    error: str | None = None
    overflow: bool = False
    prompt: str = ""
    reused: bool = False

    def as_reused(self) -> StoredDraw:
        """The same draw, taken over from another run: nothing was paid for it here."""
        return StoredDraw(
            self.key, self.state, self.role, self.problem_id, self.node, self.model, NOTHING,
            0.0, self.draw, self.error, self.overflow, self.prompt, True,
        )  # fmt: skip


class DrawStore(Protocol):
    """Where draws are remembered. ``find`` sees what ``record`` was given, at once."""

    def find(self, key: bytes) -> StoredDraw | None: ...
    def record(self, stored: StoredDraw) -> None: ...
    @property
    def replay_only(self) -> bool: ...


def prompt_text(request: Request) -> str:
    """What the model was asked, as text: the prompt, the token ids or the messages as JSON."""
    if request.prompt is not None:
        return request.prompt
    if request.token_ids is not None:
        return json.dumps(request.token_ids)
    messages = [
        [m.role, m.text if all(p.type == "text" for p in m.parts) else [repr(p) for p in m.parts]]
        for m in request.messages
    ]
    return json.dumps(messages, ensure_ascii=False)


def draw_key(identity: Identity, request: Request, sibling: int = 0) -> bytes:
    """16 bytes that name sample ``sibling`` of a request to this model: equal keys are the same draw.

    ``n`` and ``priority`` are transport only and no part of it; neither are time, place and run. Fields that
    came later count where they are set, so that older journals keep their keys.
    """
    form = "m" if request.messages else "p" if request.prompt is not None else "t"
    seed = None if request.seed is None else (request.seed + sibling) % 2**31
    settings: tuple[object, ...] = (
        identity.model, identity.weights, identity.tokenizer, identity.template, identity.bos,
        form, request.max_tokens, request.temperature, request.top_p, request.stop, request.keep_stop,
        request.logprobs, request.json_schema, seed, sibling if seed is None else 0,
    )  # fmt: skip
    if request.special:
        settings += tuple((name, value) for name in _KEYED_IF_SET if (value := getattr(request, name)))
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    digest.update(prompt_text(request).encode("utf-8", "surrogatepass"))
    return digest.digest()
