"""Structured outputs: an answer of another form is told, one that a server may have meant is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from branchwise.orchestrator.backends.vllm_structured import check_structure, conforms
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
    assert conforms(value, schema) is fitting
