"""Structured outputs: what binds an answer's form, and whether the answer has it. Pure.

A server that does not know the field answers free text, so what returns is looked at. Answers that were cut off (at
max_tokens, or at a stop string) are left alone: whoever asked sees that they were. A JSON schema is looked at before
it is sent, and an answer held against it, by jsonschema. Of a regex nothing is said that dialects read differently: a
dot may be a line's end, and sets within sets ([[:alpha:]], [a-z&&[^b]]) are taken literally by one of vLLM's engines
(xgrammar) and not by another (llguidance).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from branchwise.orchestrator.backends.openai_errors import excerpt
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_DISPUTED = re.compile(r"\[\^?\]?[^\]]*?(?:\[|&&|--|~~)")


def structure_of(request: Request) -> dict[str, Any] | None:
    """The field ``structured_outputs``; None where the form is free. BackendError where a schema is none."""
    if request.json_schema is not None:
        return {"json": _validator(request.json_schema).schema}
    if request.choices:
        return {"choice": list(request.choices)}
    return None if request.regex is None else {"regex": request.regex}


def check_structure(request: Request, draw: Draw) -> None:
    """BackendError where a finished answer has not the form that was asked for."""
    if draw.finish != "end" or draw.tool_calls or _fits(request, draw.text):
        return
    raise BackendError(
        f"the answer has not the form that structured_outputs asks for, so the server seems to ignore it: "
        f"{excerpt(draw.text)}"
    )


def _fits(request: Request, text: str) -> bool:
    if request.json_schema is not None:
        return _conforms(request.json_schema, text)
    if request.choices:
        return text in request.choices
    return request.regex is None or _matches(request.regex, text)


def _conforms(schema: str, text: str) -> bool:
    from referencing.exceptions import Unresolvable

    try:
        return _validator(schema).is_valid(_parsed(text))
    except (ValueError, RecursionError):
        return False
    except (re.error, Unresolvable):  # a pattern in the server's dialect, or what only a server would fetch
        return True


def _matches(pattern: str, text: str) -> bool:
    if _DISPUTED.search(_ESCAPED.sub("x", pattern)):
        return True
    try:
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    except re.error:  # the server's dialect has what Python's lacks
        return True


def _parsed(text: str) -> Any:
    """The JSON value; ValueError where it is none, as NaN."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


@lru_cache(maxsize=64)
def _validator(schema: str) -> Validator:
    """What holds values against a schema, and fetches nothing that it refers to. BackendError where it is none."""
    from jsonschema import Draft202012Validator as Draft  # here, as it takes a while and few runs bind forms
    from jsonschema.exceptions import best_match
    from referencing import Registry

    try:
        parsed = _parsed(schema)
    except ValueError as error:
        raise BackendError(f"json_schema is no JSON: {error}") from None
    if wrong := best_match(Draft(Draft.META_SCHEMA).iter_errors(parsed)):
        raise BackendError(f"json_schema is no JSON Schema: {wrong.json_path}: {wrong.message}")
    return Draft(parsed, registry=Registry())
