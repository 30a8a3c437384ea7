"""The calculator: exact, and bounded whatever it is given."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.errors import SandboxError
from branchwise.sandboxes.calculator import MAX_BITS, MAX_CHARACTERS, MAX_DEPTH, evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("47+38", 85), ("47 + 38*3 - 95", 66), ("(47+38)*3", 255), ("7/2", Fraction(7, 2)), ("8/2/2", 2),
        ("1-2-3", -4), ("-5", -5), ("--5", 5), ("2*-3", -6), ("-2**2", -4), ("(-2)**2", 4), ("2**3**2", 512),
        ("2**-1", Fraction(1, 2)), ("0.1+0.2", Fraction(3, 10)), (".5*4", 2), ("5.", 5), ("1.50",
        Fraction(3, 2)),
        ("0**0", 1), ("1**999999999999", 1), ("(-1)**999999999999", -1), ("0**99999999999", 0),
        ("3 × 4 ÷ 6 − 1", 1), ("\t((((7))))\n", 7), ("2** -2", Fraction(1, 4)), ("007", 7),
    ],
)  # fmt: skip
def test_values(expression: str, value: Fraction | int) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "", " ", "+", "1+", "*1", "1 2", "(1", "1)", "()", "1.2.3", ".", "1,000", "1e9", "0x10", "1_000",
        "2^3", "5!",
        "٤+١", "²", "x", "__import__('os')", "1 if 1 else 2", "1;2", "1\n+1", "1//2", "7%2", "1**", "\x00",
        "(" * 33 + "1",
        "1/0", "0**-1", "1/(2-2)", "2**0.5", "4**(1/2)",
        "9**9**9", "9**9**9**9", "2**100000", "10**(10**10)", "(1/3)**5000", "9" * MAX_CHARACTERS + "9",
        "1" + "+1" * MAX_CHARACTERS, "(" * 10_000 + ")" * 10_000, "-" * 10_000 + "1", "2**" * 100 + "1",
    ],
)  # fmt: skip
def test_refusals(expression: str) -> None:
    with pytest.raises(SandboxError):
        evaluate(expression)


def test_the_bound_on_size_is_checked_before_computing() -> None:
    exponent = MAX_BITS // 3  # 2 takes two bits, and its denominator one
    assert evaluate(f"2**{exponent}") == 2**exponent
    with pytest.raises(SandboxError, match="bits"):
        evaluate(f"2**{exponent + 1}")
    with pytest.raises(SandboxError, match="bits"):
        evaluate("(10**300)*(10**300)*(10**300)*(10**300)*(10**300)")
    with pytest.raises(SandboxError, match="bits"):
        evaluate("+".join(f"1/{prime}**99" for prime in (101, 103, 107, 109, 113, 127, 131)))


def test_nesting_is_bounded() -> None:
    assert evaluate("(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH) == 1
    with pytest.raises(SandboxError, match="nested"):
        evaluate("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1))
    with pytest.raises(SandboxError, match="nested"):
        evaluate("1" + "**1" * (MAX_DEPTH + 1))


NUMBERS = st.integers(0, 999).map(lambda n: (str(n), Fraction(n))) | st.integers(0, 9999).map(
    lambda n: (f"{n // 100}.{n % 100:02}", Fraction(n, 100))
)


@st.composite
def combined(draw: st.DrawFn, parts: st.SearchStrategy[tuple[str, Fraction]]) -> tuple[str, Fraction]:
    (left, a), (right, b) = draw(parts), draw(parts)
    operator = draw(st.sampled_from("+-*/" if b else "+-*"))
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else a}[operator]
    text = f"({left}{draw(st.sampled_from(['', ' ']))}{operator}{right})"
    return (f"-{text}", -value) if draw(st.booleans()) else (text, value)


@given(st.recursive(NUMBERS, combined, max_leaves=12))
def test_agrees_with_fraction_arithmetic(case: tuple[str, Fraction]) -> None:
    expression, value = case
    assert evaluate(expression) == value


@given(st.text() | st.text(alphabet="0123456789.+-*/() ", max_size=200))
def test_any_text_has_a_bounded_value_or_is_refused(text: str) -> None:
    try:
        value = evaluate(text)
    except SandboxError:
        return
    assert value.numerator.bit_length() + value.denominator.bit_length() <= MAX_BITS
