"""Spelling: whether an answer is known at sight, or takes mathematics to understand.

An answer is read by the first of these rules that knows it:

1. Number: what core.answers knows as one in microseconds, with its unit or without.
2. Letter: one letter is itself, capital or not; ``(c)`` is the choice ``C``. ``e`` and ``i`` are for rule 5.
3. Numbers in another base (``2516_8``) and times (``7:05``) are text: as formulas they would be other numbers.
4. Words: text is what has a word of three letters or more that is no function's name, or no sign of a formula at all.
5. Anything else is a formula: see latex.py for how it is read.
"""

from __future__ import annotations

import re
from typing import Final

from branchwise.orchestrator.core.answers import canonical, is_number
from branchwise.tasks.math.latex import NAMES, Formula, formula, with_commands
from branchwise.tasks.math.units import TEXT, without_units

_NUMBERS: Final = {"e", "i"}
_NO_WORDS: Final = {*NAMES, *_NUMBERS, "and", "inf", "infinity", "mod", "oo", "sqrt"}
_BASE: Final = re.compile(r"([0-9A-Fa-f]{1,64})_ ?\{? ?([0-9]{1,2}) ?\}?")
_TIME: Final = re.compile(r"[0-9]{1,2}(?::[0-9]{2}(?: ?[ap]\.?m)?| ?[ap]\.?m)")
_COMMAND: Final = re.compile(r"\\(?:begin|end) ?\{[a-z]*\*?\}|\\[A-Za-z]+")
_LETTERS: Final = re.compile(r"[^\W\d_]{3,}")
_SIGNS: Final = re.compile(r"[0-9\\+*/^=<>_|(\[{√∛-]")


def read(text: str) -> str | Formula | None:
    """The canonical form of an answer that is known at sight, else its formula; None for what is no answer."""
    form = canonical(text)
    if form is None or is_number(form):
        return form
    bare = without_units(with_commands(text))
    words = re.sub(TEXT, r" \g<words> ", bare)
    form = canonical(words)
    if form is None or is_number(form):
        return form
    if len(bare) == 1 and bare not in _NUMBERS:
        return bare
    if base := _BASE.fullmatch(bare):
        return f"{base[1].lower()}_{base[2]}"
    if _TIME.fullmatch(form) or _is_text(words):
        return form
    return formula(bare)


def _is_text(words: str) -> bool:
    if not _SIGNS.search(words):
        return words not in _NO_WORDS
    return any(_is_word(letters) for letters in _LETTERS.findall(_COMMAND.sub(" ", words)))


def _is_word(letters: str) -> bool:
    """Whether letters in a row are a word. ``GMm`` is a product: its capitals are not those of a word."""
    capitals = letters.islower() or letters.isupper() or letters.istitle() or len(letters) > 4
    return capitals and letters.lower() not in _NO_WORDS
