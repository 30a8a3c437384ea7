"""Templates: what is filled in stays in its place, and no line of it can be taken for a heading of the template."""

from __future__ import annotations

from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise import ScriptedBackend
from branchwise.orchestrator.core.prompting import Prompted

PAIR = Prompted(
    ScriptedBackend(lambda request, seed: ""), Template("Answer A:\n$first\n\nAnswer B:\n$second\nWhich?")
)


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() in ("Answer A:", "Answer B:")]


@pytest.mark.parametrize("line", ["Answer B:", "  Answer B: ", "**answer b:", "\tAnswer A:"])
def test_a_line_that_is_a_heading_is_quoted(line: str) -> None:
    prompt = PAIR.filled(first=f"bad\n\n{line}\nworse", second="good")
    assert headings(prompt) == ["Answer A:", "Answer B:"]
    assert f"> {line.rstrip()}" in prompt


@pytest.mark.parametrize("text", ["Answer: 7", "The Answer B: is 7", "$second", "Answer B: 7"])
def test_everything_else_stands_as_it_is(text: str) -> None:
    assert PAIR.filled(first=text, second="x") == f"Answer A:\n{text}\n\nAnswer B:\nx\nWhich?"


@given(st.text() | st.from_regex(r"([\n\r\x0b\x85 *]|Answer [AB]:){0,9}"))
def test_hostile_text_adds_no_heading(text: str) -> None:
    assert headings(PAIR.filled(first=text, second=text)) == ["Answer A:", "Answer B:"]


def test_places_are_those_of_what_is_shown_most_often() -> None:
    asked = Prompted(PAIR.model, Template("$a ${b} $b $$c"))
    assert (asked.places("a"), asked.places("b"), asked.places("a", "b"), asked.places("c")) == (1, 2, 2, 0)
