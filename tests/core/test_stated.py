"""The places where a text states its answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.answers import MAX_CHARACTERS
from branchwise.orchestrator.core.stated import final_answer, final_number, number_in
from tests.core.test_answers import LATEX


@given(st.text() | LATEX)
def test_any_text_is_read(text: str) -> None:
    for read in (final_answer, final_number):
        found = read(text)
        assert found is None or found
    assert final_answer(text, last_number=True) is not None or final_answer(text) is None


HOSTILE = [
    *("#### ", "the answer is ", "Answer:\n", "answer =\n$$\n", "the answer is since ", "answer: 5, so ", "\n1 a"),
    *(
        r"\boxed{",
        r"\boxed ",
        r"\boxed4",
        r"\boxed\frac",
        r"\boxed\frac1",
        r"\boxed\text{",
        r"\boxed\a{}",
        r"\fbox\sqrt[",
    ),
    *("{\\boxed", "1,111", "1/", ". ", *"{}$-*9\\( \n"),
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.timeout(30)
def test_hostile_repetitions_end(piece: str) -> None:
    for size in (MAX_CHARACTERS, 300_000):
        text = piece * (size // len(piece))
        for said in (text, text + "}" * size, "the answer is\n" + text):
            final_answer(said, last_number=True)
            final_number(said)


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        (r"so \boxed{5}, no: \boxed{\frac{1}{2}}. The answer is 7", r"\frac{1}{2}"),
        (r"\boxed{\boxed{7}}", r"\boxed{7}"),
        (r"\boxed{3} and then \boxed{4", "3"),
        (r"{ \boxed{\{1, 2\}}", r"\{1, 2\}"),
        ("2+2=4\n#### 4\n", "4"),
        ("#### 4\nthe answer is 5", "4"),
        ("The answer is 3.5. Or is it?", "3.5"),
        ("The answer is 1.\nNo, the answer is 2.", "2"),
        ("**Answer:** $18 a day", "$18 a day"),
        ("**Final answer: 7**", "7"),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "$7$"),
        ("**Final Answer:** The answer is 42.", "42"),
        ("**Final Answer**\n\nThe final answer is $7$.", "$7$"),
        ("Answer: so the correct answer is 3, as 1 + 2 = 3", "3"),
        ("answer = -2", "-2"),
        ("I can't answer 5 questions", None),
        ("it costs 16 then 1,234", None),
        (r"so \boxed 4.", "4"),
        (r"so $\boxed4$", "4"),
        (r"so $\boxed 12$", "12"),
        (r"so \boxed -3\)", "-3"),
        (r"so \boxed .5.", ".5"),
        (r"so \boxed 1,234.5, as", "1,234.5"),
        (r"so \boxed 3/4 of it", "3/4"),
        (r"so \boxed \$18 a day", r"\$18"),
        (r"so **\boxed 4**", "4"),
        (r"so $\boxed x$", "x"),
        (r"so $\boxed\pi$", r"\pi"),
        (r"so $\boxed\frac12$", r"\frac12"),
        (r"so $\boxed \frac 1 2$", r"\frac 1 2"),
        (r"so $\boxed\dfrac{\sqrt{2}}{2}$", r"\dfrac{\sqrt{2}}{2}"),
        (r"so $\boxed\frac\pi{\sqrt2}$", r"\frac\pi{\sqrt2}"),
        (r"so $\boxed\sqrt[3]2$", r"\sqrt[3]2"),
        (r"so $\boxed\text{(A)}$", r"\text{(A)}"),
        (r"so $\boxed{\boxed 4}$", r"\boxed 4"),
        (r"so \boxed 62^\circ", None),
        (r"so \boxed 4\blacksquare", "4"),
        (r"so \boxed 4\text{ cm}", "4"),
        (r"so \[\boxed 4\]", "4"),
        (r"so \boxed 4 \quad", "4"),
        (r"so \boxed 2\pi", None),
        (r"so \boxed 3 \cdot 4", None),
        (r"so \boxed 50\%", None),
        (r"so \boxed 3 \times 10^4", None),
        (r"so \boxed x = 5", None),
        (r"so $\boxed 2 x + 1$", None),
        (r"so \boxed 5 \%", None),
        (r"so \boxed\pi r^2", None),
        (r"so \boxed a final result. The answer is 7", "7"),
        (r"so \boxed{2} = 2", "2"),
        (r"so \boxed 2x+1", None),
        (r"so \boxed\sqrt2x", None),
        (r"so \boxed\frac123", None),
        (r"so \boxed\frac{1}{2", None),
        (r"so \boxed\left(1,2\right)", None),
        (r"so \boxed\begin{pmatrix} 1 \end{pmatrix}", None),
        (r"in \boxed form, or \boxed. Or \boxed, or `\boxed`", None),
        (r"\boxed{3}, no: \boxed 4", "4"),
        (r"\boxed 3, no: \boxed{4}", "4"),
        (r"\boxed{3}, in \boxed form", "3"),
        (r"\boxed\text{it is {4}} \boxedx 5", r"\text{it is {4}}"),
        ("The answer is 4, because 2+2=4", "4"),
        ("The answer is $4$ since 2.5 + 1.5 is.", "$4$"),
        ("The answer is 1, 2, and 3, so we are done.", "1, 2, and 3"),
        ("The answer is\n\n4", "4"),
        ("The answer is:\n\n**4**\n\nLet me know!", "4"),
        ("The answer is\r\n\r\n4.\r\nDone", "4"),
        ("**Answer:**\n\n$\\frac{1}{2}$.", "$\\frac{1}{2}$"),
        ("The answer is\n$$\n4\n$$", "4"),
        ("The answer is\n\\[\n  x = 4\n\\]", "x = 4"),
        ("The answer is\n\\[x = 4\\]", "\\[x = 4\\]"),
        ("The answer is\n4 square feet", "4 square feet"),
        ("Answer:\n(B)", "(B)"),
        ("Answer:\nB", "B"),
        ("Answer:\n48 / 2 = 24\n48 + 24 = 72", None),
        ("Let's work out the answer:\n\n$3 * 4 = 12$\n\n$12 + 5 = 17$", None),
        ("The answer:\n$$\n9 + 2 = 11\n$$\n$$\n11 + 4 = 15\n$$", None),
        ("The answer is\n$$\n4\n$$\nas 2 + 2 is.", "4"),
        ("The answer is\n\n$$4$$\n\nfor $x = 2$.", "$$4$$"),
        ("Answer:\n\n1. We add", None),
        ("Answer:\n\n- 3 apples", None),
        ("Answer:\n\nA train leaves", None),
        ("Answer:\n\n2 apples and 3 pears are", None),
        ("The answer is\n\nSo the answer is 4", "4"),
        ("The answer is:\nnot known", None),
    ],
)
def test_where_a_text_states_its_answer(text: str, stated: str | None) -> None:
    assert final_answer(text) == stated


def test_the_last_number_counts_only_if_wanted() -> None:
    assert final_answer("first 16-3, then 1,234 or so", last_number=True) == "1,234"
    assert final_answer("16-3", last_number=True) == "3"
    assert final_answer("at -3", last_number=True) == "-3"
    assert final_number("so 12 or 13", last_number=False) is None


def test_a_number_is_found_in_what_is_stated() -> None:
    assert final_number("The answer is $18 per day at 2 markets.") == "$18"
    assert final_number("The answer is 9 * 2 = $18 a day") == "$18"
    assert final_number(r"\boxed{18\text{ dollars}}") == "18"
    assert final_number("The answer is unknown. Perhaps 5") is None
    assert final_number("The answer is: Janet makes $18 a day") == "$18"


@pytest.mark.parametrize(
    "stated",
    [
        "10+5", "10 - 5", r"10\cdot 3", "2^{9}", "3!", r"5 \text{ or } 6", r"\binom52", r"\sqrt{25}", "3x", "x > 3",
        "undefined, not 3", "isn't 3", "from 3 to 4", "3 apples and 4 pears", "some", "x = 3, y = 4",
        "x = 3 and y = 4", "3:2",
    ],
)  # fmt: skip
def test_a_statement_that_may_mean_several_numbers_states_none(stated: str) -> None:
    assert number_in(stated) is None
    assert final_number(rf"\boxed{{{stated}}}") is None
