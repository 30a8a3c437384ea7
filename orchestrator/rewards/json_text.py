"""JSON objects in a model's text: found among thoughts, prose, code fences and LaTeX, mended where that is safe.

1. An object begins with a brace and a quoted key. It is read from there on, as it is, with raw line breaks allowed in
   its texts. Else it is read mended: backslashes that escape nothing and trailing commas are blanked, and the quotes
   of its first key, single or typographic ones, are all made straight.
2. Where one of them can't be read, or says a key twice, nothing counts: nobody can tell where it ends, and what
   stands in its texts may be another one, which an answer wrote for the model to quote.
3. Of the objects with the wanted key the last one counts.

Models' replies in JSON and the need to mend them: RewardAnything, Yu et al. 2025, arXiv 2506.03637.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

from branchwise.orchestrator.core.thinking import without_thinking

MAX_CHARACTERS: Final = 100_000
MAX_OBJECTS: Final = 200

_OPENING: Final = re.compile(r"\{\s{0,200}([\"'‘“„])")
_QUOTES: Final = {'"': "", "'": "'", "‘": "‘’", "“": "“”„", "„": "“”„"}
_ESCAPED: Final = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_TRAILING_COMMA: Final = re.compile(r",(?=\s{0,200}[}\]])")


def object_in(text: str, key: str) -> dict[str, Any]:
    """The last object of a model's text that has this key; an empty one where any can't be read, or many begin."""
    said, place = without_thinking(text), 0
    found: dict[str, Any] = {}
    for _ in range(MAX_OBJECTS if len(said) <= MAX_CHARACTERS else 0):
        opening = _OPENING.search(said, place)
        if opening is None:
            return found
        decoded = _decoded(said, opening)
        if decoded is None:
            return {}
        read, place = decoded
        if key in read:
            found = read
    return {}


def whole_number(value: object, low: int, high: int) -> int | None:
    """The value if it is a whole number from low to high, such as 4 or 4.0; neither text nor truth is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return int(value) if value == int(value) else None


def _decoded(text: str, opening: re.Match[str]) -> tuple[dict[str, Any], int] | None:
    """The object that begins here, and where it ends; None where it can't be read."""
    for written in (text, _mended(text, opening[1])):
        with suppress(ValueError, RecursionError):  # no JSON, a number without end, or braces without end
            read, end = _DECODER.raw_decode(written, opening.start())
            return read, end
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its keys and values. ValueError where a key is there twice."""
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a key is there twice")
    return read


def _mended(text: str, quote: str) -> str:
    """The text with its flaws blanked, each character in its place."""
    straight = text.translate({ord(each): '"' for each in _QUOTES[quote]})
    escaped = _ESCAPED.sub(lambda match: match[0] if len(match[0]) > 1 else " ", straight)
    return _TRAILING_COMMA.sub(" ", escaped)


_DECODER: Final = json.JSONDecoder(strict=False, parse_constant=lambda constant: None, object_pairs_hook=_once)
