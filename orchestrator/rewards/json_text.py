"""JSON in a model's text: found, mended where that is safe, or not there at all.

The chain, of which the first that succeeds counts:

1. Thinking and code fences are taken off; the rest is JSON.
2. The rest is JSON once typographic quotes are straight, single quotes double, and trailing commas gone.
3. What stands between the first opening brace and the last closing one is JSON, as it is or so mended.

What is cut off in its middle is not closed by guess. The chain is RewardAnything's: Yu et al. 2025, arXiv 2506.03637.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from branchwise.orchestrator.core.spoken import spoken

MAX_CHARACTERS: Final = 100_000

_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)
_TRAILING_COMMA: Final = re.compile(r",(?=\s{0,200}[}\]])")
_STRAIGHT: Final = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"})


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object that a model's text holds; None where there is none that can be read."""
    said = _unfenced(spoken(text[-MAX_CHARACTERS:])).strip()
    braced = said[said.find("{") : said.rfind("}") + 1] if "{" in said else ""
    for candidate in (said, _mended(said), braced, _mended(braced)):
        found = _loaded(candidate)
        if found is not None:
            return found
    return None


def whole_number(value: object, low: int, high: int) -> int | None:
    """The value if it is a whole number from low to high, such as 4 or 4.0; neither text nor truth is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return int(value) if value == int(value) else None


def _unfenced(text: str) -> str:
    fenced = _FENCED.findall(text)
    return fenced[-1] if fenced else text


def _mended(text: str) -> str:
    straight = text.translate(_STRAIGHT)
    return _TRAILING_COMMA.sub("", straight if '"' in straight else straight.replace("'", '"'))


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):  # no JSON, a number without end, or braces without end
        return None
    return found if isinstance(found, dict) else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
