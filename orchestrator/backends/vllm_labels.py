"""Labels: how likely one next token is against another, asked at vLLM's /generative_scoring.

1. A label becomes the id of its token (/tokenize), once; one that is not exactly one token is refused.
2. Messages become token ids by the server's own template (/tokenize): the endpoint knows texts and ids only. The last
   one stands as the endpoint's item, which must not be empty.
3. What comes back is the first label's chance against the second. It becomes the log-probabilities of the draw's
   one token, where labels are looked for (core/labels.py).

Unlike the likeliest next tokens these are always the labels' own chances, however unlikely both are.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from branchwise.orchestrator.backends.openai_answer import MALFORMED, usage_of
from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.openai_request import wire
from branchwise.orchestrator.backends.vllm_tokens import ids_of
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob

PATH: Final = "generative_scoring"
LEAST: Final = 1e-30
"""The least chance that is told apart from none."""


class Labels:
    """Words questions about labels to one model."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._ids: dict[str, int] = {}

    async def fields(self, request: Request, connection: Connection) -> dict[str, Any]:
        """The fields of the body; BackendError where there are not two labels, of one token each."""
        if len(request.labels) != 2:
            raise BackendError("two labels are told apart, neither more nor fewer")
        labels = [await self._id(label, connection) for label in request.labels]
        if labels[0] == labels[1]:
            raise BackendError(f"two labels are told apart, and {request.labels} are one token")
        ids = await self._prompt(request, connection)
        if not ids:
            raise BackendError("there is no prompt that a label could follow")
        *query, last = ids
        return {"model": self._model, "query": query, "items": [[last]], "label_token_ids": labels}

    async def _prompt(self, request: Request, connection: Connection) -> tuple[int, ...]:
        if request.token_ids is not None:
            return request.token_ids
        if request.prompt is not None:
            return await ids_of({"prompt": request.prompt}, self._model, connection)
        continued = request.messages[-1].role == "assistant"
        messages = [item for message in request.messages for item in wire(message)]
        chat = {"add_generation_prompt": not continued, "continue_final_message": continued}
        return await ids_of({"messages": messages, **chat}, self._model, connection)

    async def _id(self, label: str, connection: Connection) -> int:
        if label not in self._ids:
            ids = await ids_of({"prompt": label, "add_special_tokens": False}, self._model, connection)
            if len(ids) != 1:
                raise BackendError(f"the label {label!r} is {len(ids)} tokens of {self._model!r}, and has to be one")
            self._ids[label] = ids[0]
        return self._ids[label]


def labelled(request: Request, answer: bytes, where: str) -> Draw:
    """The chances as a draw of the likelier label; BackendError where there are none."""
    try:
        found = json.loads(answer)
        chance, usage = float(found["data"][0]["score"]), usage_of(found["usage"])
    except MALFORMED as error:
        raise BackendError(f"{where}: malformed answer of /{PATH}") from error
    if not 0 <= chance <= 1:
        raise BackendError(f"{where}: the chance of a label is {chance}, which is none")
    one, other = request.labels
    told = {one: math.log(max(chance, LEAST)), other: math.log(max(1 - chance, LEAST))}
    text = max(told, key=lambda label: told[label])
    token = TokenLogprob(text, told[text], tuple(told.items()))
    return Draw(text, "length", usage, model=found.get("model"), logprobs=(token,))
