r"""Answers: the one canonical form under which answers are voted on and graded; where a text states one: stated.py.

Two spellings of one answer must be one vote and one grade, so there is exactly one canonicaliser. Its input
is written by models: it is matched against regular expressions with bounded repetitions, never evaluated,
and anything longer than `MAX_CHARACTERS` is prose, not an answer.

1. Wrappers go: ``\boxed{}``, ``$...$``, ``\text{}``, quotes, markdown, LaTeX spacing, ``x =``, a last full
   stop.
2. A number (signs, decimals, fractions, powers of ten, thousands apart by commas or spaces) becomes an exact
   fraction, printed as ``-7/2`` or ``1234``. Currency, percent and degree signs are units and are dropped:
   ``50%`` is ``50``, as the keys of the public benchmarks have it.
3. Anything else is case-folded, its white space squeezed, its outer punctuation and leading articles
   stripped.
4. 1-3 are repeated until nothing changes, so the canonical form of a canonical form is itself.
"""

from __future__ import annotations

import re
import string
import unicodedata
from fractions import Fraction
from typing import Final

from branchwise.orchestrator.core.expansion import Answer

MAX_CHARACTERS: Final = 1_000
_MAX_PASSES: Final = 16

_FRACTIONS: Final = {sign: unicodedata.normalize("NFKC", sign).split("\u2044") for sign in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_SIGNS: Final = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-")
    | {sign: rf"\frac{{{over}}}{{{under}}}" for sign, (over, under) in _FRACTIONS.items()}
    | {"∅": r"\emptyset"}
)
_LATEX: Final = (
    (re.compile(r"(?<!\\)\\(?:!|(?:left|right|displaystyle)(?![A-Za-z]))"), ""),
    (re.compile(r"(?<!\\)\\(?:[,;: ]|q?quad(?![A-Za-z]))"), " "),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\([$%])"), r"\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\varnothing(?![A-Za-z])|\\\{ ?\\\}"), r"\\emptyset"),
)
_BRACED: Final = re.compile(r"(?:\\(?:boxed|fbox|text|textbf|textit|mathrm|mathbf|mathit))? ?\{(.*)\}", re.DOTALL)
_BARE: Final = re.compile(r"\\(?:boxed|fbox)(?: (?!\{)|(?![A-Za-z {]))(.+)", re.DOTALL)
_DOLLARS: Final = re.compile(r"\$(.+)\$|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)
_QUOTES: Final = "*`\"'\u201c\u201d\u2018\u2019 "
_ENDING: Final = re.compile(r"[.,;:? ]+\Z|(?<=[^\W\d_]{2})!+\Z")
_BEGINNING: Final = re.compile(r"\A(?:[,;:!? ]+|\.+(?![0-9]))")
_ASSIGNED: Final = re.compile(r"[A-Za-z] ?= ?([^=]+)")
_CHOICE: Final = re.compile(r"\(([A-Za-z])\)")
_ARTICLE: Final = re.compile(r"\A(?:a|an|the) (?=\S)")

_WHOLE: Final = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,32}|[0-9]{1,100})"
_DECIMAL: Final = rf"(?:{_WHOLE}(?:\.[0-9]{{0,100}})?|\.[0-9]{{1,100}})"
_SIGNED: Final = r"(?P<sign>[-+]?) ?[$€£]? ?"
_UNIT: Final = r"(?: ?(?:[%$€£°]|\^ ?\{? ?\\circ ?\}?)){0,2}"
_PLAIN: Final = re.compile(rf"{_SIGNED}(?P<over>[-+]?{_DECIMAL})(?: ?/ ?(?P<under>{_DECIMAL}))?{_UNIT}")
_MIXED: Final = re.compile(rf"{_SIGNED}(?P<whole>{_WHOLE}) (?P<over>{_WHOLE}) ?/ ?(?P<under>{_WHOLE}){_UNIT}")
_FRAC: Final = re.compile(
    rf"{_SIGNED}(?P<whole>{_WHOLE})? ?\\frac ?(?P<over>\{{ ?-?{_DECIMAL} ?\}}|[0-9]) ?"
    rf"(?P<under>\{{ ?-?{_DECIMAL} ?\}}|[0-9]){_UNIT}"
)
_POWER: Final = re.compile(
    rf"{_SIGNED}(?P<over>{_DECIMAL})(?:[eE](?P<e>[-+]?[0-9]{{1,2}})"
    rf"| ?(?:\\times|\\cdot|×|\*|x) ?10 ?\^ ?\{{?(?P<ten>-?[0-9]{{1,2}})\}}?){_UNIT}"
)
_SPACED: Final = re.compile(rf"{_SIGNED}(?P<over>[0-9]{{1,3}}(?: [0-9]{{3}}){{1,32}}(?:\.[0-9]{{1,100}})?){_UNIT}")
_LIKE_A_NUMBER: Final = re.compile(r"[-+$€£ ]{0,4}(?:[0-9.]|\\frac)")
_INTEGER: Final = re.compile(r"-?[0-9]{1,100}", re.ASCII)
_EXACT: Final = re.compile(r"-?[0-9]{1,200}(?:/[1-9][0-9]{0,199})?")


def canonical(text: str | None) -> str | None:
    """The form under which an answer is counted and compared; None where there is no answer. Never raises."""
    current = (text or "").strip()
    if _INTEGER.fullmatch(current):  # what most answers are, at a tenth of the time
        return str(int(current))
    for _ in range(_MAX_PASSES):
        if not current or len(current) > MAX_CHARACTERS:
            return None
        following = _pass(current)
        if following == current:
            return current if current.strip(string.punctuation + " ") else None
        current = following
    return None


def unwrapped(text: str) -> str:
    """An answer without what stands around it (step 1); empty for what is too long to be an answer."""
    current = text.strip()
    for _ in range(_MAX_PASSES):
        if len(current) > MAX_CHARACTERS:
            return ""
        following = _unwrap(current)
        if following == current:
            break
        current = following
    return current


def number(text: str | None) -> Fraction | None:
    """The exact value of an answer that is a number, else None."""
    form = canonical(text)
    return Fraction(form) if form is not None and is_number(form) else None


def is_number(form: str) -> bool:
    """Whether a canonical form is that of a number."""
    return _EXACT.fullmatch(form) is not None


def to_answer(text: str | None) -> Answer | None:
    """The answer with this spelling, or None if it has no canonical form."""
    form = canonical(text)
    return None if text is None or form is None else Answer(text.strip(), form)


def _pass(text: str) -> str:
    text = _unwrap(text)
    value = _value(text)
    return str(value) if value is not None else _normalised(text)


def _unwrap(text: str) -> str:
    text = text.translate(_SIGNS)
    if "\\" in text or "{" in text:
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    text = " ".join(text.split()).strip(_QUOTES)
    for pattern in (_DOLLARS, _ASSIGNED, _CHOICE, _BRACED, _BARE):
        match = pattern.fullmatch(text)
        if match and (pattern is not _BRACED or _balanced(match[1])):
            text = next(group for group in match.groups() if group is not None).strip()
            text = text.upper() if pattern is _CHOICE else text
    return text if _value(text) is not None else _ENDING.sub("", text)


def _balanced(text: str) -> bool:
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0


def _value(text: str) -> Fraction | None:
    if not _LIKE_A_NUMBER.match(text):
        return None
    for pattern in (_PLAIN, _FRAC, _MIXED, _POWER, _SPACED):
        match = pattern.fullmatch(text)
        if match:
            return _assembled(match.groupdict())
    return None


def _assembled(parts: dict[str, str | None]) -> Fraction | None:
    value = _fraction(parts["over"])
    under = _fraction(parts.get("under") or "1")
    if under == 0:
        return None
    power = parts.get("e") or parts.get("ten") or "0"
    value = _fraction(parts.get("whole") or "0") + value / under * Fraction(10) ** int(power)
    return -value if parts["sign"] == "-" else value


def _fraction(text: str | None) -> Fraction:
    return Fraction((text or "0").strip("{} ").replace(",", "").replace(" ", "").rstrip("."))


def _normalised(text: str) -> str:
    text = re.sub(r" ?([()\[\]{}=+*/^<>|-]) ?| (?=\\)", r"\1", text.casefold())
    text = re.sub(r" ?, ?", ", ", text)
    return _ENDING.sub("", _ARTICLE.sub("", _BEGINNING.sub("", text))).strip()
