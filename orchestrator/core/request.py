"""Request and Draw: the one way to ask a model, and one sample of its answer.

A backend declares who it is (Identity, part of every draw's key) and what it can do (Capabilities), so that a
workflow that asks too much is refused before anything is spent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Message, Tool, ToolCall
from branchwise.orchestrator.core.usage import Usage

Finish = Literal["end", "stop", "length"]
Pooling = Literal["classify", "token_classify", "score"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model: exactly one of ``messages``, ``prompt`` or ``token_ids``.

    With ``messages``, a trailing assistant message is continued rather than answered (step search over chat
    models). ``n`` samples are transport only: sample k has seed + k. ``logprobs`` is the number of
    alternatives wanted a token, None for none. Neutral sampling: temperature 1, top_p 1, nothing else.

    ``pooling`` wants numbers (Draw.values) of a pooling model instead of text: "classify" one row for the whole,
    "token_classify" one row a step tag, "score" the relevance of ``document`` to the query ``prompt``.
    ``prompt_logprobs`` wants those of the prompt's own tokens; with either, ``max_tokens`` may be 0. ``labels``
    are next tokens whose probabilities are wanted. At most one of ``json_schema``, ``choices`` and ``regex``
    binds the form of the answer. ``tools`` may be called. ``priority`` (lower is sooner) is transport only.
    """

    messages: tuple[Message, ...] = ()
    prompt: str | None = None
    token_ids: tuple[int, ...] | None = None
    max_tokens: int = 512
    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    keep_stop: bool = False
    seed: int | None = None
    logprobs: int | None = None
    json_schema: str | None = None
    pooling: Pooling | None = None
    document: str | None = None
    prompt_logprobs: bool = False
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    regex: str | None = None
    tools: tuple[Tool, ...] = ()
    priority: int = 0

    def __post_init__(self) -> None:
        if (bool(self.messages) + (self.prompt is not None) + (self.token_ids is not None)) != 1:
            raise ValueError("a request holds exactly one of messages, prompt and token_ids")
        special = self.special
        if self.n < 1 or self.max_tokens < 1 - special:
            raise ValueError("n and max_tokens are at least 1")
        if special:
            self._check_special()

    @property
    def special(self) -> bool:
        """Whether it asks for anything that few requests ask for, and not every backend knows."""
        return bool(
            self.pooling or self.document is not None or self.prompt_logprobs or self.labels or self.choices
            or self.regex is not None or self.tools
        )  # fmt: skip

    def _check_special(self) -> None:
        if not (self.max_tokens or self.pooling or self.prompt_logprobs):
            raise ValueError("max_tokens is at least 1")
        if self.pooling is not None and (self.n > 1 or self.max_tokens):
            raise ValueError("a pooling model answers once, without tokens: n is 1 and max_tokens 0")
        if (self.pooling == "score") != (self.document is not None) or (self.pooling == "score" and not self.prompt):
            raise ValueError("pooling 'score' and nothing else wants a document, and a prompt as its query")
        if (self.json_schema is not None) + bool(self.choices) + (self.regex is not None) > 1:
            raise ValueError("a request holds at most one of json_schema, choices and regex")


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token, its log-probability (nats) and the most likely alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample. ``finish``: "end" the model ended, "stop" a stop string matched, "length" it was cut off.

    ``stop_string`` is the one that matched, where the backend knows. ``usage`` is this draw's own share: the
    prompt is charged to the first draw of a request only.

    ``values`` are a pooling model's numbers, raw: no activation, one row for the whole or one a step tag.
    ``prompt_logprobs`` are those of the prompt's tokens but the first. ``token_ids`` are the draw's own, where
    they are exactly its text; ``prompt_ids`` those of the prompt, where it was sent as text or messages.
    """

    text: str
    finish: Finish
    usage: Usage
    stop_string: str | None = None
    model: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    token_ids: tuple[int, ...] = ()
    prompt_ids: tuple[int, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers: what must be equal for a draw to be the same draw.

    ``weights`` is a hash where the backend can know it, else the served name; ``template`` a hash of the chat
    template; ``bos`` whether a beginning-of-sequence token is added to plain prompts.
    """

    model: str
    weights: str = ""
    tokenizer: str = ""
    template: str = ""
    bos: bool | None = None

    @property
    def known(self) -> bool:
        """False while the model is not there: a workflow is checked without its models."""
        return bool(self.model)

    def at(self, address: str) -> Identity:
        """The same on one certain server, where that tells it from another model."""
        return replace(self, weights=f"{self.weights}@{address}")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do; the names are those of the request's fields.

    ``seeds_increment``: the k-th of n samples gets seed + k. ``knows_stop``: it tells a matched stop string
    from the model's own end. ``repeatable``: the same request and seed give the same text. ``writes``: it answers
    text, which a model that scores does not.
    """

    chat: bool = True
    completion: bool = True
    token_ids: bool = False
    continue_message: bool = False
    n: bool = True
    seed: bool = True
    seeds_increment: bool = False
    logprobs: bool = False
    json_schema: bool = False
    knows_stop: bool = False
    repeatable: bool = False
    pooling: bool = False
    prompt_logprobs: bool = False
    labels: bool = False
    choices: bool = False
    regex: bool = False
    tools: bool = False
    priority: bool = False
    writes: bool = True


REFUSED_IF_UNKNOWN = ("pooling", "prompt_logprobs", "labels", "choices", "regex", "tools")
"""Fields of a request that change its answer so much that no backend may overlook them."""


def refuse_unknown(request: Request, capabilities: Capabilities) -> None:
    """BackendError where a request asks for what its backend does not know, and would answer without."""
    for name in REFUSED_IF_UNKNOWN if request.special else ():
        if getattr(request, name) and not getattr(capabilities, name):
            raise BackendError(f"'{name}' was asked of a model whose backend does not know it")


@dataclass(slots=True)
class Progress:
    """What a call has used: filled in however it ends, so that one that was cancelled or broke off can be settled."""

    usage: Usage = field(default_factory=Usage)
