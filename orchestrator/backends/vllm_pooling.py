"""Pooling models of a vLLM server: outcome models, process models, rerankers. Pure.

=================  ==========================  ==================================================
pooling            asked at                    values
=================  ==========================  ==================================================
classify           /classify (or /pooling)     one row: the logits of all labels
token_classify     /pooling                    one row a step tag (--pooler-config step_tag_id)
score              /score                      one row with one number: relevance to the query
=================  ==========================  ==================================================

``use_activation: false`` asks for raw numbers (they come in a field that is called ``probs`` all the same): what
they mean is decided where they are used, not by a server's default.
"""

from __future__ import annotations

import json
import math
from typing import Any

from branchwise.orchestrator.backends.openai_answer import MALFORMED, usage_of
from branchwise.orchestrator.backends.openai_errors import excerpt
from branchwise.orchestrator.backends.openai_request import wire
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.usage import Usage


def pooling_path(request: Request, outcome_endpoint: str = "classify") -> str:
    """Where this kind of request is answered."""
    if request.pooling == "classify":
        return outcome_endpoint
    return "pooling" if request.pooling == "token_classify" else "score"


def pooling_fields(request: Request, model: str, path: str) -> dict[str, Any]:
    """The fields of the body."""
    fields: dict[str, Any] = {"model": model, "use_activation": False}
    if path == "pooling":
        fields["task"] = request.pooling
    if request.pooling == "score":
        fields["text_1"], fields["text_2"] = request.prompt, request.document
    elif request.messages:
        fields["messages"] = [item for message in request.messages for item in wire(message)]
        fields["add_generation_prompt"] = False
    else:
        fields["input"] = request.prompt if request.prompt is not None else [request.token_ids]
    return fields


def pooled(request: Request, answer: bytes, where: str) -> Draw:
    """The numbers as a draw; BackendError where there are none, or where they are none."""
    try:
        found = json.loads(answer)
        rows = _rows(found["data"][0])
        usage = usage_of(found["usage"]) if found.get("usage") else Usage(calls=1, exact=False)
    except MALFORMED as error:
        raise BackendError(f"{where}: malformed answer: {excerpt(answer.decode('utf-8', 'replace'))}") from error
    if not rows:
        hint = "is a step tag in the text, and its id in the server's --pooler-config?"
        raise BackendError(f"{where}: the model found nothing to score; {hint}")
    if not all(row and all(map(math.isfinite, row)) for row in rows):
        raise BackendError(f"{where}: the model's scores are no numbers")
    return Draw("", "end", usage, model=found.get("model"), values=rows)


def _rows(item: dict[str, Any]) -> tuple[tuple[float, ...], ...]:
    if "score" in item:
        return ((float(item["score"]),),)
    values = item["probs"] if "probs" in item else item["data"]
    if values and not isinstance(values[0], list):
        values = [values]
    return tuple(tuple(map(float, row)) for row in values)
