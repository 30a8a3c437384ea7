"""What of a text is mathematics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.rewards.views import math_only


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("So $x = 2$, and then", "x = 2"),
        ("First \\[a + b\\] then \\(c\\).", "a + b\nc"),
        ("We add 2 + 3 = 5 and get \\boxed{5}", "2 + 3 = 5\n\\boxed{5}"),
        ("$$y$$ before 1 = 1", "y\n1 = 1"),
        ("no formula here", ""),
        ("He pays $5 for apples and $3 for pears.", ""),
        ("It is $20,000 and $30,000, $x+y$ in all", "x+y"),
        ("A costs $1 and B costs $2, so $1 + $2 = $3.", "1 + $2 = $3"),
        ("It costs $5. Then $x=2$ holds", "x=2"),
        ("So the answer is \\boxed{\\frac{1}{2}}.", "\\boxed{\\frac{1}{2}}"),
        ("\\boxed{\\sqrt{\\frac{1}{2}}}", "\\boxed{\\sqrt{\\frac{1}{2}}}"),
        ("so \\begin{align*} x &= 2 \\end{align*} holds", "x &= 2"),
        ("\\begin{align} never closed, 1 = 1", "1 = 1"),
        ("\\[ never closed, and 1 + 1 = 2", "1 + 1 = 2"),
        ("\\[ opened twice \\[ x \\]", "x"),
        ("\\( opened twice \\( x \\)", "x"),
    ],
)
def test_formulas_without_the_words(text: str, formulas: str) -> None:
    assert math_only(text) == formulas


PIECES = [
    "$",
    "$$",
    "\\[",
    "\\]",
    "\\(",
    "\\)",
    "\\boxed{",
    "}",
    "{",
    "\\begin{a}",
    "\\end{a}",
    "x",
    "1+1=2",
    "\n",
    " ",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_hostile_text_never_raises(pieces: list[str]) -> None:
    assert len(math_only("".join(pieces))) <= len("".join(pieces)) + len(pieces)
