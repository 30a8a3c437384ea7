"""Equations in free text, such as ``16 - 3 - 4 = 9`` or ``$5 * 3 = $15``: found, and re-computed.

1. An equation is an expression with at least one operator, an equals sign, and a number or expression. What
   stands beside a letter (``3x + 2 = 5``) or goes on beyond the match is algebra, not an equation to
   re-compute.
2. Currency signs and thousands commas are dropped; ``×``, ``x`` between numbers, ``÷`` and LaTeX's
   operators become ``*`` and ``/``.
3. An equation holds if both sides are equal, or if the right side is a decimal number and the left side
   rounds to it. A percentage may be meant as a hundredth (``20% * 50 = 10``) or as a unit (``5 / 20 * 100 =
   25%``). What the calculator refuses (division by zero, a value too large) does not hold.

All repetitions of the patterns are bounded, so hostile text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Final

from branchwise.orchestrator.core.errors import SandboxError

Evaluate = Callable[[str], Fraction]

MAX_CHARACTERS: Final = 10_000

_GAP: Final = r"[ \t]{0,4}"
_NUMBER: Final = r"[$€£]?(?:[0-9]{1,3}(?:,[0-9]{3}){1,6}|[0-9]{1,15})(?:\.[0-9]{1,15})?%?"
_TERM: Final = rf"(?:\({_GAP}){{0,4}}[-\u2212]?{_NUMBER}(?:{_GAP}\)){{0,4}}"
_OPERATOR: Final = r"(?:\*\*|[-+*/×÷·\u2212]|\\(?:times|cdot|div)|x(?=[ \t]?[$0-9(]))"
_EQUATION: Final = re.compile(
    rf"(?<![\w.^])(?P<left>{_TERM}(?:{_GAP}{_OPERATOR}{_GAP}{_TERM}){{1,32}}){_GAP}="
    rf"{_GAP}(?P<right>{_TERM}(?:{_GAP}{_OPERATOR}{_GAP}{_TERM}){{0,32}})"
    rf"(?!\w|[.,][0-9]|%|{_GAP}(?:[*/×÷·^+\\0-9]|[-\u2212]{_GAP}[\w$(]))"
)
_BOLD_RESULT: Final = re.compile(r"=[ \t]{0,4}\*\*([$€£]?[-\u2212]?[0-9][0-9,.]{0,20})\*\*")
_BULLET: Final = re.compile(r"[ \t]*[-*+]")
_GOES_ON: Final = tuple("+-*/×÷·^(0123456789\u2212")
_DROPPED: Final = re.compile(r"[$€£, \t]")
_SPELLINGS: Final = (("×", "*"), ("·", "*"), ("x", "*"), ("\\times", "*"), ("\\cdot", "*"))
_DIVISIONS: Final = (("÷", "/"), ("\\div", "/"), ("\u2212", "-"))
_DECIMALS: Final = re.compile(r"[-(]*[0-9]+\.([0-9]+)\)*")


@dataclass(frozen=True, slots=True)
class Equation:
    """Both sides in the calculator's spelling, percent signs kept."""

    left: str
    right: str


def equations(text: str) -> list[Equation]:
    """The equations in the first MAX_CHARACTERS of a text, in order."""
    text = _BOLD_RESULT.sub(r"=\1", text[:MAX_CHARACTERS])
    return [
        Equation(_spelled(match["left"]), _spelled(match["right"]))
        for match in _EQUATION.finditer(text)
        if _begins_here(text, match.start())
    ]


def holds(equation: Equation, evaluate: Evaluate) -> bool:
    """Whether an equation is true in one of its readings."""
    return any(
        _equal(left, right, evaluate) for left, right in product(_readings(equation.left), _readings(equation.right))
    )


def _begins_here(text: str, start: int) -> bool:
    before = text[text.rfind("\n", 0, start) + 1 : start].rstrip()
    return _BULLET.fullmatch(before) is not None or not before.endswith(_GOES_ON)


def _spelled(side: str) -> str:
    for spelling, operator in (*_SPELLINGS[::-1], *_DIVISIONS[::-1]):
        side = side.replace(spelling, operator)
    side = _DROPPED.sub("", side)
    missing = side.count("(") - side.count(")")
    return side[missing:] if missing > 0 and side.startswith("(" * missing) else side[: missing or None]


def _readings(side: str) -> tuple[str, ...]:
    if "%" not in side:
        return (side,)
    return re.sub(r"([0-9.]+)%", r"(\1/100)", side), side.replace("%", "")


def _equal(left: str, right: str, evaluate: Evaluate) -> bool:
    try:
        difference = abs(evaluate(left) - evaluate(right))
    except SandboxError:
        return False
    decimals = _DECIMALS.fullmatch(right)
    if difference == 0 or decimals is None:
        return difference == 0
    return difference <= Fraction(1, 2 * 10 ** len(decimals[1]))
