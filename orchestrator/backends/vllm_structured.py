"""Structured outputs: what binds an answer's form, and whether the answer has it. Pure.

A server that does not know the field answers free text, so what returns is looked at. Answers that were cut off (at
max_tokens, or at a stop string) are left alone: whoever asked sees that they were. Of a JSON schema the everyday part
is checked (type, enum, const, required, properties, items): enough to tell a server that heeds it from one that does
not. Of a regex nothing is said that dialects read differently: a dot may be a line's end, and sets within sets
([[:alpha:]], [a-z&&[^b]]) are taken literally by one of vLLM's engines (xgrammar) and not by another (llguidance).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NoReturn

from branchwise.orchestrator.backends.openai_errors import excerpt
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "null": (type(None),),
    "integer": (int,), "number": (int, float),
}  # fmt: skip
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_DISPUTED = re.compile(r"\[\^?\]?[^\]]*?(?:\[|&&|--|~~)")


def structure_of(request: Request) -> dict[str, Any] | None:
    """The field ``structured_outputs``; None where the form is free. BackendError where a schema is no JSON."""
    if request.json_schema is not None:
        return {"json": _schema(request.json_schema)}
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
        try:
            return conforms(_parsed(text), _schema(request.json_schema))
        except (ValueError, RecursionError):
            return False
    if request.choices:
        return text in request.choices
    return request.regex is None or _matches(request.regex, text)


def _matches(pattern: str, text: str) -> bool:
    if _DISPUTED.search(_ESCAPED.sub("x", pattern)):
        return True
    try:
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    except re.error:  # the server's dialect has what Python's lacks
        return True


def conforms(value: Any, schema: Any) -> bool:
    """Whether a JSON value has the shape of a schema, as far as it is checked here."""
    if not isinstance(schema, dict):
        return schema is not False
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        return False
    if "const" in schema and not _same(value, schema["const"]):
        return False
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return False
    if isinstance(value, dict):
        inner = schema.get("properties", {})
        return all(name in value for name in schema.get("required", [])) and all(
            conforms(item, inner[name]) for name, item in value.items() if name in inner
        )
    return not isinstance(value, list) or all(conforms(item, schema.get("items", True)) for item in value)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,))) or (
        kind == "integer" and isinstance(value, float) and value.is_integer()
    )


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but not true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _parsed(text: str) -> Any:
    """The JSON value; ValueError where it is none, as NaN."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


@lru_cache(maxsize=64)
def _schema(text: str) -> Any:
    try:
        return _parsed(text)
    except ValueError as error:
        raise BackendError(f"json_schema is no JSON: {error}") from None
