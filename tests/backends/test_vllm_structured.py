"""Structured outputs: an answer of another form is told, one that a server may have meant is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from branchwise.orchestrator.backends.vllm_structured import check_structure, structure_of
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.usage import Usage


def fits(request: Request, text: str) -> bool:
    try:
        check_structure(request, Draw(text, "end", Usage()))
    except BackendError:
        return False
    return True


@pytest.mark.parametrize(
    ("regex", "text", "fitting"),
    [
        ("[0-9]+", "12", True),
        ("[0-9]+", "a", False),
        (r"\[[a-c]\]", "[b]", True),
        (r"\[[a-c]\]", "b", False),
        (r"[\]]a[b]", "b", False),
        ("a.c", "a\nc", True),  # xgrammar's dot is any character
        ("[[:alpha:]]+", "ab", True),  # llguidance
        ("[[:alpha:]]+", "a]", True),  # xgrammar
        ("[a-z&&[^b]]", "c", True),
        (r"\p{L}+", "ab", True),  # no Python
    ],
)
def test_a_regex_is_judged_where_all_dialects_agree(regex: str, text: str, fitting: bool) -> None:
    assert fits(Request(prompt="a", regex=regex), text) is fitting


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1, NaN]", "", "1 2"])
def test_what_is_no_json_fits_no_schema(text: str) -> None:
    for schema in ({"type": "number"}, {"type": "array"}, {}):
        assert not fits(Request(prompt="a", json_schema=json.dumps(schema)), text)


@pytest.mark.parametrize(
    ("value", "schema", "fitting"),
    [
        (1, {"enum": [1]}, True),
        (1.0, {"const": 1}, True),
        (True, {"enum": [1]}, False),
        (1, {"const": True}, False),
        ([True], {"enum": [[1]]}, False),
        ({"a": [True, None]}, {"const": {"a": [True, None]}}, True),
        ({"a": 1}, {"const": {"a": True}}, False),
        (True, {"type": "integer"}, False),
        (1.0, {"type": "integer"}, True),
    ],
)
def test_truth_is_no_number(value: Any, schema: dict[str, Any], fitting: bool) -> None:
    assert fits(Request(prompt="a", json_schema=json.dumps(schema)), json.dumps(value)) is fitting


@pytest.mark.parametrize(
    ("value", "schema", "fitting"),
    [
        ({"score": 11}, {"properties": {"score": {"maximum": 10}}}, False),
        ({"a": 1}, {"properties": {"a": {"$ref": "#/$defs/text"}}, "$defs": {"text": {"type": "string"}}}, False),
        ({"b": 1}, {"additionalProperties": False}, False),
        (1, {"anyOf": [{"type": "string"}, {"type": "null"}]}, False),
        ("ab", {"pattern": r"^\p{L}+$"}, True),  # no Python
        (1, {"$ref": "http://localhost:1/schema"}, True),  # nothing is fetched
    ],
)
def test_an_answer_is_held_against_the_whole_schema(value: Any, schema: dict[str, Any], fitting: bool) -> None:
    assert fits(Request(prompt="a", json_schema=json.dumps(schema)), json.dumps(value)) is fitting


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "no JSON: Expecting"),
        ('{"enum": null}', "no JSON Schema: $.enum: None is not of type 'array'"),
        ('{"properties": {"a": {"type": "text"}}}', "no JSON Schema: $.properties.a.type: 'text' is not valid"),
        ("5", "no JSON Schema: $: 5 is not of type"),
        ("[]", "no JSON Schema: $: [] is not of type"),
    ],
)
def test_what_is_no_schema_is_not_sent(schema: str, reason: str) -> None:
    with pytest.raises(BackendError) as error:
        structure_of(Request(prompt="a", json_schema=schema))
    assert reason in str(error.value)
