r"""Spelling: what an answer says without its units, and whether that takes mathematics to understand.

Most answers are numbers, and core.answers knows those in microseconds. What it does not know is here told apart into
words, which are compared as text, and formulas, which are for the worker process.

1. A unit after a number or a formula goes: any words in ``\text{}``, and well-known units without it. Words that
   change the value (``million``, ``dozen``, ``p.m.``) stay, so that ``5 million`` is not ``5``.
2. Numbers in another base (``2516_8``) and times (``7:05``) are text: read as formulas they would lose their base, or
   be a fraction.
3. Text is what has a word of three letters or more that is no function's name, or no sign of a formula at all.
4. Of a formula the bare names of functions and constants get their backslash, since models write ``pi/6``, too.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from branchwise.orchestrator.core.answers import MAX_CHARACTERS, canonical, number, unwrapped

_NAMES: Final = (
    "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|max|min|gcd|lcm|sqrt|"
    "pi|theta|alpha|beta|gamma|phi|lambda|infty|infinity"
)
"""Functions and constants that models write without a backslash, too."""
_WORDS: Final = {*_NAMES.split("|"), "and", "oo", "inf", "mod"}
_UNITS: Final = (
    "degrees?|percent|dollars?|cents?|euros?|pounds?|units?|square|cubic|sq|inch(?:es)?|feet|foot|ft|yards?|miles?|mi|"
    "(?:kilo|centi|milli)?met(?:er|re)s?|[ckm]m|(?:kilo|milli)?grams?|[km]g|lit(?:er|re)s?|ml|gallons?|ounces?|oz|lbs?|"
    "seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|mph|kph"
)
_CHANGES_THE_VALUE: Final = re.compile(
    r"(?i)\b(?:and|or|to|dozens?|hundreds?|thousands?|millions?|billions?|trillions?|half|[ap]\.?m)\b"
)
_TEXT: Final = r"\\(?:text|textbf|textrm|textit|mbox|mathrm|rm) ?\{(?P<words>[^{}]{0,80})\}"
_POWER: Final = r" ?(?:\^ ?(?:\{ ?[0-9] ?\}|[0-9]))?"
_TEXT_UNIT: Final = re.compile(rf"(?<=[0-9}})a-z]) ?\\? ?{_TEXT}{_POWER}\Z")
_BARE_UNIT: Final = re.compile(
    rf"(?<=[0-9}})])\s*(?:(?:{_UNITS})(?![a-z])(?: (?=[a-z])|/(?=[a-z])| per (?=[a-z]))?){{1,3}}{_POWER}\Z",
    re.IGNORECASE,
)
_BASE: Final = re.compile(r"([0-9A-Fa-f]{1,64})_ ?\{? ?([0-9]{1,2}) ?\}?")
_TIME: Final = re.compile(r"[0-9]{1,2}(?::[0-9]{2}(?: ?[ap]\.?m)?| ?[ap]\.?m)")
_COMMAND: Final = re.compile(r"\\(?:begin|end) ?\{[a-z]*\*?\}|\\[A-Za-z]+")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_REPEATING: Final = re.compile(r"(-?)([0-9]{1,30})?\.([0-9]{0,30})\\overline ?\{ ?([0-9]{1,30}) ?\}")
_SIGNS: Final = re.compile(r"[0-9\\+*/^=<>_|(\[{-]")
_BARE_NAME: Final = re.compile(rf"(?<![A-Za-z\\])(?:{_NAMES})(?![A-Za-z])")
_BARE_ROOT: Final = re.compile(r"\\?sqrt ?\(([^()]*)\)")
_UNICODE: Final = str.maketrans(
    {"π": r"\pi ", "∞": r"\infty ", "√": r"\sqrt ", "≤": r"\le ", "≥": r"\ge ", "∪": r"\cup ", "∩": r"\cap ",
     "±": r"\pm ", "·": r"\cdot ", "×": r"\times ", "÷": "/", "−": "-", "²": "^2", "³": "^3", "°": ""}
)  # fmt: skip


def plain_form(text: str) -> str | None:
    """The form of an answer that is a number or words; None where it takes mathematics, or is no answer at all."""
    bare = without_units(text)
    if repeating := _REPEATING.fullmatch(bare):
        return str(_fraction(*repeating.groups()))
    if base := _BASE.fullmatch(bare):
        return f"{base[1].lower()}_{base[2]}"
    words = re.sub(_TEXT, r" \g<words> ", bare)
    form = canonical(words)
    if form is None or number(form) is not None or _TIME.fullmatch(form) or not _SIGNS.search(form):
        return form
    is_text = any(word.lower() not in _WORDS for word in _WORD.findall(_COMMAND.sub(" ", words)))
    return form if is_text else None


def formula(text: str) -> str:
    """The formula for the worker process: no units, bare names with their backslash; empty for what is too long."""
    bare = _BARE_ROOT.sub(r"\\sqrt{\1}", without_units(text).translate(_UNICODE))
    return _BARE_NAME.sub(lambda name: "\\" + name[0].replace("infinity", "infty"), bare)[:MAX_CHARACTERS]


def without_units(text: str) -> str:
    """The text without what stands around it and without the units at its end."""
    current = unwrapped(text).strip("$")
    for _ in range(3):
        shorter = unwrapped(_BARE_UNIT.sub("", _TEXT_UNIT.sub(_unless_it_counts, current)))
        if shorter == current:
            break
        current = shorter
    return current


def _fraction(sign: str, whole: str | None, once: str, again: str) -> Fraction:
    """The value of a repeating decimal: what is repeated is a fraction of as many nines."""
    value = Fraction(int((whole or "0") + once)) + Fraction(int(again), 10 ** len(again) - 1)
    return (-value if sign else value) / Fraction(10) ** len(once)


def _unless_it_counts(unit: re.Match[str]) -> str:
    return unit[0] if _CHANGES_THE_VALUE.search(unit["words"]) else ""
