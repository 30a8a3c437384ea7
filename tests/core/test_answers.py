"""The canonicaliser: what is one answer in several spellings, and what is none."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from branchwise.orchestrator.core.answers import MAX_CHARACTERS, canonical, number, to_answer
from branchwise.orchestrator.core.expansion import Answer

LATEX = st.lists(
    st.sampled_from(
        [
            *r"\{}$()[].,:;!?*`'-+/=^%_ 0123456789xaA",
            r"\boxed{",
            r"\frac",
            r"\text{",
            r"\left",
            "the ",
            "#### ",
            "\u2212",
            "\u00d7 10^",
            "e9",
            "\u0663",
            "answer is ",
            "\n",
            "\u00df",
        ]
    ),
    max_size=60,
).map("".join)


@pytest.mark.parametrize(
    ("form", "spellings"),
    [
        ("1/2", ["1/2", "0.5", r"\frac{1}{2}", r"\dfrac12", ".5", "2/4", "$0.50", r"\boxed{\tfrac{1}{2}}", "x=1/2"]),
        ("1234", ["1,234.0", "1 234", "1\u202f234", "1234", "$1,234$", r"\$1{,}234", "1234.", "**1,234**", "+1234"]),
        ("-5", ["-5", "\u22125", "- 5", "$-5", "-$5", "-5.00", r"\(-5\)", "-10/2", r"\boxed{ -5 }", "{{{-5}}}"]),
        ("7/2", ["3 1/2", "3½", r"3\frac12", r"3 \frac{1}{2}", "3.5", "7 / 2", r"\frac{7}{2}"]),
        ("-7/2", ["-3 1/2", r"-3\frac{1}{2}", r"\frac{-7}{2}", "-3.5"]),
        ("50", ["50%", r"50\%", "50 %", "50", "$50$%"]),
        ("90", [r"90^\circ", "90°", r"90^{\circ}"]),
        ("1500", ["1.5e3", r"1.5 \times 10^{3}", "1.5E+3", "1.5 × 10^3"]),
        ("0", ["0", "-0", "0.00", "0/7"]),
        ("a", ["A", "(A)", " a.", r"\text{A}", "'A'"]),
        ("eiffel tower", ["The Eiffel  Tower.", "eiffel tower", '"Eiffel Tower"', "an Eiffel Tower!"]),
        ("(1, 2)", ["(1,2)", "( 1 , 2 )", r"\left(1,\,2\right)"]),
        ("p-q", ["p - q", "p-q", "$p - q$"]),
        (r"70\sqrt{2}", [r"70 \sqrt{2}", r"70\sqrt{2}", r"70\,\sqrt{ 2 }"]),
        ("1/0", ["1/0", "1 / 0"]),
        ("5!", ["5!"]),
        ("4", [r"\boxed 4", r"\boxed4", r"$\boxed 4$", r"\boxed{\boxed 4}"]),
        (r"\emptyset", [r"\emptyset", r"\varnothing", "∅", r"\{\}", r"\{ \}", r"\left\{\right\}", r"$\{\,\}$"]),
        ("12, 34", ["12,34", "12, 34"]),
    ],
)  # fmt: skip
def test_spellings_of_one_answer_have_one_form(form: str, spellings: list[str]) -> None:
    assert {spelling: canonical(spelling) for spelling in spellings} == dict.fromkeys(spellings, form)


@pytest.mark.parametrize("text", [None, "", " \n", "...", "$$", "{}", r"\boxed{}", "-", "x" * (MAX_CHARACTERS + 1)])
def test_what_is_no_answer_has_no_form(text: str | None) -> None:
    assert canonical(text) is None
    assert to_answer(text) is None


def test_different_answers_have_different_forms() -> None:
    different = [
        "1",
        "-1",
        "10",
        "1/3",
        "0.333",
        "2x",
        "x^2",
        "x2",
        "(1, 234)",
        "1,234",
        "5 dollars",
        "paris",
        "\u0663",
    ]
    assert len({canonical(each) for each in different}) == len(different)


@given(st.text() | LATEX | st.from_regex(r"[-+$ ]*[0-9,./ ]+%?", fullmatch=True))
@example("'.5'")
@example("1, 234")
@example("\u00df" * 600)
def test_the_form_of_a_form_is_itself(text: str) -> None:
    form = canonical(text)
    assert form is None or (canonical(form) == form and len(form) <= MAX_CHARACTERS)


@given(st.fractions())
def test_fractions_survive(value: Fraction) -> None:
    assert number(str(value)) == value
    assert number(rf"\boxed{{\frac{{{value.numerator}}}{{{value.denominator}}}}}") == value


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_decimals_and_thousands_survive(scaled: int, decimals: int) -> None:
    value = Fraction(scaled, 10**decimals)
    digits = str(abs(scaled)).rjust(decimals + 1, "0")
    whole, after = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    assert number(f"{'-' * (scaled < 0)}{int(whole):,}" + (f".{after}" if after else "")) == value


HOSTILE = [r"\boxed{", r"\boxed ", "a an the ", "1,111", "1/", ". ", *"{}$-*9\\( \n"]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.timeout(30)
def test_hostile_repetitions_end(piece: str) -> None:
    for size in (MAX_CHARACTERS, 300_000):
        canonical(piece * (size // len(piece)))


def test_numbers_apart_are_no_number() -> None:
    assert [number(text) for text in ("7 8", "1 00", "1 0000", "1234 567", r"7\,8")] == [None] * 5


def test_a_fraction_of_nothing_is_no_number() -> None:
    assert [number(text) for text in ("1/0", "0/0", "1/00", r"\frac{1}{0}")] == [None] * 4


def test_an_answer_keeps_its_spelling() -> None:
    assert to_answer(r" \frac{1}{2} ") == Answer(r"\frac{1}{2}", "1/2")
