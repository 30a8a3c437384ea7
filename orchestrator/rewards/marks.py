"""Marks: the one number that a judge gives an answer, read from its text. A mark off its scale is none.

1. As a number: the text is a number, or what follows the last ``Score:`` is one, as in ``Score: 7`` or ``7/10``.
   A range, a share of another maximum, and a number that the end of the text may have cut off are not read.
2. As JSON: the number under ``score`` of the object in the text.
"""

from __future__ import annotations

import re
from typing import Final

from branchwise.orchestrator.core.thinking import without_thinking
from branchwise.orchestrator.rewards.json_text import object_in

_MARKER: Final = re.compile(r"\bscore\b[*_ \t]{0,8}[:=]", re.IGNORECASE)
_NUMBER: Final = re.compile(
    r"[*_\s$]{0,8}(?:\\boxed\{)?(-?[0-9]{1,17}(?:\.[0-9]{1,17})?)"
    r"(?:[ \t]{0,4}(?:/|out of)[ \t]{0,4}([0-9]{1,17}))?"
    r"(?!\w|[/%]|[.,][0-9]|[ \t]{0,4}(?:[-\u2013\u2014+*^,]|to\b|or\b)[ \t]{0,4}[0-9]|[ \t]{0,4}(?:/|out of\b))"
)


def number_in(text: str, low: float, high: float) -> float | None:
    """The mark that a text states as a number from low to high; None where it states none."""
    said = without_thinking(text)
    markers = list(_MARKER.finditer(said))
    rest = said[markers[-1].end() :] if markers else said.strip()
    match = _NUMBER.match(rest) if markers else _NUMBER.fullmatch(rest)
    if match is None or (match[2] is not None and float(match[2]) != high):
        return None
    return _on_scale(float(match[1]), low, high)


def number_in_json(text: str, low: float, high: float) -> float | None:
    """The mark under ``score`` of the JSON object in a text; None where there is none on the scale."""
    found = object_in(text, "score").get("score")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return _on_scale(found, low, high)


def _on_scale(value: float, low: float, high: float) -> float | None:
    return float(value) if low <= value <= high else None
