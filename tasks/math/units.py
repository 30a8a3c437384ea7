r"""Units: what stands after a number or a formula and says nothing about it.

Any words in ``\text{}`` at the end, and well-known units without it. Words that change the value (``million``,
``p.m.``) stay, so that ``5 million`` is not ``5``; so do units of one letter, which may be variables.
"""

from __future__ import annotations

import re
from typing import Final

from branchwise.orchestrator.core.answers import unwrapped

NAMES: Final = (
    "degrees?|percent|dollars?|cents?|euros?|pounds?|units?|square|cubic|sq|inch(?:es)?|feet|foot|ft|yards?|miles?|mi|"
    "(?:kilo|centi|milli)?met(?:er|re)s?|[ckm]?m/[hs]|[ckm]m|(?:kilo|milli)?grams?|[km]g|lit(?:er|re)s?|ml|gallons?|"
    "ounces?|oz|lbs?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|mph|kph"
)
TEXT: Final = r"\\(?:text|textbf|textrm|textit|mbox|mathrm|rm) ?\{(?P<words>[^{}]{0,80})\}"
_CHANGES_THE_VALUE: Final = re.compile(
    r"(?i)\b(?:and|or|to|dozens?|hundreds?|thousands?|millions?|billions?|trillions?|half|[ap]\.?m)\b"
)
_POWER: Final = r" ?(?:\^ ?(?:\{ ?[0-9] ?\}|[0-9]))?"
_IN_TEXT: Final = re.compile(rf"(?<=[0-9}})a-z]) ?\\? ?{TEXT}{_POWER}\Z")
_BARE: Final = re.compile(
    rf"(?<=[0-9}})])\s*(?:(?:{NAMES})(?![a-z])(?: (?=[a-z])|/(?=[a-z])| per (?=[a-z]))?){{1,3}}{_POWER}\Z",
    re.IGNORECASE,
)
_TEMPERATURE: Final = re.compile(r"(?<=[0-9]) ?\^ ?\{? ?\\circ ?\}? ?[CF]\Z")


def without_units(text: str) -> str:
    """The text without what stands around it and without the units at its end."""
    current = unwrapped(text).strip("$")
    for _ in range(3):
        shorter = unwrapped(without_last_unit(current))
        if shorter == current:
            break
        current = shorter
    return current


def without_last_unit(text: str) -> str:
    """The text without the unit at its end."""
    return _TEMPERATURE.sub("", _BARE.sub("", _IN_TEXT.sub(_unless_it_counts, text)))


def _unless_it_counts(unit: re.Match[str]) -> str:
    return unit[0] if _CHANGES_THE_VALUE.search(unit["words"]) else ""
