"""Preferences: which of two answers a judge prefers, read from its text. What can't be read is no preference.

``rm_r1``
    ``[[A]]`` or ``[[B]]`` in the last 80 characters after thinking. Both of them there, or neither, is no preference.
    RM-R1, Chen et al. 2025, arXiv 2505.02387; here one behind ``not`` or ``than`` is none, either.
``think_rm``, ``think_rm_signed``
    The A or B, or the last number, a strength from -3 to 3 but 0, in the last ``<answer>`` block. A strength has a
    sign of any form (``-2``, ``- 2``, an en dash); where a sign may be a dash or belong to something else, as in
    ``B - 2`` and ``1-2``, there is none. Think-RM, Hong et al. 2025, arXiv 2505.16265, whose code takes the last
    match; here the block is the letter and nothing that may change its meaning (``A tie``, ``Not A``, ``A is better
    than B``), and strengths for both, or one for the other answer than the letter beside it, are no preference.

Of several samples the majority of those that can be read decides; as many for the one as for the other is one half.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from branchwise.orchestrator.core.thinking import without_thinking

TAIL_CHARACTERS: Final = 80
OPENS: Final = "<answer>"
CLOSES: Final = "</answer>"

_CALLED: Final = r"answer|response|option|solution|assistant"
_LETTER: Final = re.compile(
    rf"[\W_]*(?:boxed\{{[\W_]*)?(?:(?i:the )?(?i:{_CALLED})\b[\W_]*)?([AB])(?!\w)(?:[\W_]+\1(?!\w))*[\W_]*"
    r"(?:(?i:is (?:(?:much|far|clearly|slightly|the) )?better)[\W_]*)?"
)
_ANY_LETTER: Final = re.compile(r"(?<![\w])[AB](?![\w])")
_DENIES: Final = re.compile(
    rf"(?:\b(?:not|never|neither|nor|than|over)|n['’]t)\b(?:[\W_]|{_CALLED}|the)*\Z", re.IGNORECASE
)
_MINUS: Final = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_STRENGTH: Final = re.compile(r"(?P<sign>[+-]?)(?P<gap>\s{0,8})(?P<size>[123])(?![\w/%])[^\d]*\Z")
_ANY_STRENGTH: Final = re.compile(r"(?P<sign>[+-]?)\s{0,8}[0-9]")
_RUNS_ON: Final = re.compile(r"[\w.,/+-]\Z")
_MEANS_ELSE: Final = re.compile(rf"(?:[+-][\W_]*|\b(?:of|to|minus|negative|not|never|{_CALLED})\s*)\Z", re.IGNORECASE)


def tagged(text: str) -> float | None:
    """1 for ``[[A]]`` at the end of a text, 0 for ``[[B]]``."""
    tail = without_thinking(text)[-TAIL_CHARACTERS:]
    first, second = "[[A]]" in tail, "[[B]]" in tail
    before = tail.rpartition("[[A]]" if first else "[[B]]")[0]
    return float(first) if first != second and not _DENIES.search(before) else None


def lettered(text: str) -> float | None:
    """1 for an A, 0 for a B, which is all that the last answer block says."""
    found = _LETTER.fullmatch(last_block(text))
    return None if found is None else float(found[1] == "A")


def strength(text: str) -> int | None:
    """The last number in the last answer block, if it is -3, -2, -1, 1, 2 or 3."""
    block = last_block(text).translate(_MINUS)
    last = _STRENGTH.search(block)
    if last is None or _unclear(block[: last.start()], last["sign"], last["gap"]):
        return None
    found = int(last["sign"] + last["size"])
    others = {each["sign"] == "-" for each in _ANY_STRENGTH.finditer(block, 0, last.start())}
    letters = {letter == "A" for letter in _ANY_LETTER.findall(block)}
    return None if (found > 0) in others or letters == {found > 0} else found


def signed(text: str) -> float | None:
    """1 for a negative strength, which prefers the first answer, 0 for a positive one."""
    found = strength(text)
    return None if found is None else float(found < 0)


def last_block(text: str) -> str:
    """What stands in the last ``<answer>`` block; nothing where there is none, or where it was cut off."""
    before, closed, after = without_thinking(text).rpartition(CLOSES)
    _, opened, inside = before.rpartition(OPENS)
    return inside if closed and opened and OPENS not in after else ""


def majority(preferences: Sequence[float | None]) -> float | None:
    """1, 0, or one half where both are equally frequent; None where no sample can be read."""
    known = [each for each in preferences if each is not None]
    lead = 2 * sum(known) - len(known)
    return (0.5 if lead == 0 else float(lead > 0)) if known else None


def _unclear(before: str, sign: str, gap: str) -> bool:
    """Whether what stands before a number, or before its sign, may change what it means."""
    if sign and gap:
        before = before.rstrip()  # "B - 2": the sign may be a dash
    runs_on = _RUNS_ON.search(before) if sign or not gap else None
    return runs_on is not None or _MEANS_ELSE.search(before[-TAIL_CHARACTERS:]) is not None
