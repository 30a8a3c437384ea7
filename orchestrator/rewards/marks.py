"""Marks: the one number that a judge gives an answer, read from its text. A mark off its scale is none.

1. As a number: the text is a number, or what follows the last ``Score:`` is one, as in ``Score: 7`` or ``7/10``. The
   rest of its line holds no second number, but the scale's maximum behind a slash or ``out of``: so no range, sum,
   correction or share of another maximum is read, and no percentage. What follows is a sentence's end or a reason, no
   word that changes the number (``8 minus one``), and no later line takes it back; the number of a list is none.
2. As JSON: the number under ``score`` of the object in the text, in quotes or not.
"""

from __future__ import annotations

import re
from typing import Final

from branchwise.orchestrator.core.thinking import without_thinking
from branchwise.orchestrator.rewards.json_text import object_in

_MARKER: Final = re.compile(r"\bscore\b[*_ \t]{0,8}[:=]", re.IGNORECASE)
_VALUE: Final = r"(-?[0-9]{1,17}(?:\.[0-9]{1,17})?)(?!\w)"
_OF: Final = r"[*_}`\]$\s]{0,8}(?:points?\b\s{0,8})?\(?(?:/|(?:out\s{1,8})?of\b)\s{0,8}"
_NUMBER: Final = re.compile(rf"[*_`\[\s$]{{0,8}}(?:\\boxed\{{)?{_VALUE}")
_SHARE: Final = re.compile(_OF + _VALUE)
_CHANGES_IT: Final = re.compile(
    rf"{_OF}|[*_}}`\]$\s]{{0,8}}(?:\\?[%\u066a\u2030\ufe6a\uff05]|per\s?cent\b|per\s?mille\b)", re.IGNORECASE
)
_CLOSES: Final = re.compile(r"[*_}`\]$).\s]{0,20}")
_GOES_ON: Final = re.compile(
    r"[*_}`\]$ \t]{0,8}(?:\Z|[\n\r.,;:!(–—]|-\s|(?:because|since|as|for|given|due|with|overall|points?|marks?)\b)",
    re.IGNORECASE,
)
_LISTED: Final = re.compile(r"[.)][ \t]{1,8}\S")
_TAKES_BACK: Final = re.compile(
    r"^\W{0,8}(?:no|wait|actually|correction|rather|sorry)\b|\b(?:mark|score|rating|grade)\b[^\n]{0,40}[0-9]",
    re.IGNORECASE | re.MULTILINE,
)
_LINE: Final = re.compile(r"[^\n\r]*")


def number_in(text: str, low: float, high: float) -> float | None:
    """The mark that a text states as a number from low to high; None where it states none."""
    said = without_thinking(text)
    markers = list(_MARKER.finditer(said))
    stated = said[markers[-1].end() :] if markers else said.strip()
    number = _NUMBER.match(stated)
    if number is None:
        return None
    rest = stated[number.end() :]
    if "\n" in number[0] and _LISTED.match(rest):
        return None
    share = _SHARE.match(rest)
    if share is not None and float(share[1]) == high:
        rest = rest[share.end() :].removeprefix(")")
    ends = _GOES_ON.match(rest) if markers else _CLOSES.fullmatch(rest)
    if ends is None or _another_in(rest) or _TAKES_BACK.search(rest):
        return None
    return _on_scale(float(number[1]), low, high)


def number_in_json(text: str, low: float, high: float) -> float | None:
    """The mark under ``score`` of the JSON object in a text; None where there is none on the scale."""
    found = object_in(text, "score").get("score")
    if isinstance(found, str):
        return number_in(found, low, high)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return _on_scale(found, low, high)


def _on_scale(value: float, low: float, high: float) -> float | None:
    return float(value) if low <= value <= high else None


def _another_in(rest: str) -> bool:
    """Whether what follows a number makes another one of it, or the rest of its line holds one."""
    line = _LINE.match(rest)
    return _CHANGES_IT.match(rest) is not None or (line is not None and any(map(str.isnumeric, line[0])))
