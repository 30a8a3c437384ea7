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
        ("\\[ never closed, and 1 + 1 = 2", "1 + 1 = 2"),
        ("\\[ opened twice \\[ x \\]", "x"),
        ("\\( opened twice \\( x \\)", "x"),
    ],
)
def test_formulas_without_the_words(text: str, formulas: str) -> None:
    assert math_only(text) == formulas


@given(st.lists(st.sampled_from(["$", "$$", "\\[", "\\]", "\\(", "\\)", "\\boxed{", "}", "x", "1+1=2", "\n"])))
def test_hostile_text_never_raises(pieces: list[str]) -> None:
    assert len(math_only("".join(pieces))) <= len("".join(pieces)) + len(pieces)
