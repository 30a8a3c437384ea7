r"""Stated: where a text states its answer. Its canonical form is made in answers.py.

1. The last box: ``\boxed{x}``. One without braces holds what TeX would put there, the next letter or command with
   its arguments, but a number whole; where something goes right on behind that, it is no box.
2. ``#### x``.
3. ``The answer is x``, ``Answer: x``, ``Final answer: the answer is x``: the rest of the sentence but for a reason
   that follows; or the next line, if that is a formula or a number rather than a sentence, and no working that goes
   on below.

The text is written by models: its places are read once, by regular expressions with bounded repetitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from branchwise.orchestrator.core.answers import number, unwrapped

MAX_TEXT_CHARACTERS: Final = 200_000

_BOX_OR_BRACE: Final = re.compile(r"(?P<box>\\(?:boxed|fbox)(?![A-Za-z])\s{0,8})\{?|\\.|[{}]")
_DIGITS: Final = r"\$?(?:[0-9]{1,3}(?:,[0-9]{3}){1,32}(?![0-9])|[0-9]{1,100})(?:\.[0-9]{1,100})?(?:/[0-9]{1,100})?"
_BOXED_NUMBER: Final = re.compile(rf"[-+\u2212]?\\?(?:{_DIGITS}|\.[0-9]{{1,100}})")
_TOKEN: Final = re.compile(
    r"\s{0,8}(?:\\(?!(?:begin|end|left|right)(?![A-Za-z]))(?P<command>[A-Za-z]{1,20})(?:\[[^\[\]{}]{0,20}\])?"
    r"|(?P<group>\{)|[A-Za-z0-9])"
)
_ARGUMENTS: Final = {
    "sqrt": 1, "frac": 2, "dfrac": 2, "tfrac": 2, "cfrac": 2, "binom": 2, "dbinom": 2, "tbinom": 2,
}  # fmt: skip
_MAX_TOKENS: Final = 16
_COMMAND: Final = r"(?!(?:blacksquare|square|qed|q?quad|hfill|text|mbox|end|right|tag|par)(?![A-Za-z]))[A-Za-z]"
_GOES_ON: Final = re.compile(rf"[\w^({{\[+/=-]|\*(?!\*)|\\(?:%|{_COMMAND})")
_IS_PART: Final = re.compile(
    r"[ \t]{1,4}(?:[=+*/^·×<>-]|[A-Za-z][ \t]?[-+*/^=$]|\\%|\\(?:[cd]?frac|sqrt|pi|cdot|times|div|pm|mp)(?![A-Za-z]))"
)
_MAY_BE_PART: Final = re.compile(rf"[ \t]{{1,4}}(?:[\w=+*/^·×<>(-]|\\{_COMMAND})")

_HASHES: Final = re.compile(r"####[ \t]*([^\n]*)")
_SAYS: Final = r"\banswer\b(?:[*:_ \t]{0,8}(?:is|=)|[*_ \t]{0,4}:)[*:_ \t\r]{0,8}+"
_AGAIN: Final = rf"(?:(?:(?:so|thus|the|my|our) ){{0,2}}(?:(?:final|correct|right) )?{_SAYS})?"
_LINE_BREAK: Final = r"\n\s{0,8}+"
_BORDER: Final = r"(?:\$\$|\\[\[\]])[ \t\r]{0,8}"
_ANSWER_IS: Final = re.compile(
    rf"{_SAYS}{_AGAIN}(?:(?P<rest>[^\n]{{1,1000}})|{_LINE_BREAK}(?:{_BORDER}\n)?(?=(?P<below>[^\n]{{1,200}})"
    rf"(?:{_LINE_BREAK}(?:{_BORDER}{_LINE_BREAK}){{0,3}}(?P<next>[^\n]{{0,200}})|\Z)))",
    re.IGNORECASE,
)
_REASON: Final = re.compile(r"[,;]?\s(?:because|since)\b|[,;]\s(?:as|so|which|but)\b", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"\.(?=\s|\Z)")
_AROUND: Final = "*`_ \t\r"
_LIKE_A_FORMULA: Final = re.compile(
    r"(?!(?:[-+]|[0-9]{1,3}[.)])\s)(?:[-+$\\(\[{|.0-9√\u2212]|(?P<letter>[A-Za-z])\b)"
)
_WORD: Final = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")

_NUMBER: Final = re.compile(rf"(?<![\w.])(?:(?<!\))-)?{_DIGITS}")
_TEXT: Final = re.compile(r"\\(?:text|mbox|textbf|mathrm) ?\{([^{}]{0,200})\}")
_FORMULA: Final = re.compile(r"[\\^_+*×·√!<>]|[0-9)] ?[-:] ?[0-9(]|[0-9] ?x\b")
_SEVERAL: Final = re.compile(r"=.*(?:[,;]|\band\b)")
_UNSURE: Final = re.compile(r"\b(?:not|no|nor|or|and|to|between|undefined)\b|n't\b", re.IGNORECASE)


def final_answer(text: str, *, last_number: bool = False) -> str | None:
    r"""The answer that a text states: its last ``\boxed{x}``, else ``#### x``, else ``the answer is x``.

    With ``last_number``, the last number in the text where none of these is found.
    """
    text = text[-MAX_TEXT_CHARACTERS:]
    stated = _boxed(text) or _hashed(text) or _said(text)
    if stated:
        return stated
    return _last_number(text) if last_number else None


def final_number(text: str, *, last_number: bool = True) -> str | None:
    """The number that a text states, where only a number can be the answer ("$18 a day" states "$18")."""
    stated = final_answer(text, last_number=last_number)
    return stated if stated is None or number(stated) is not None else number_in(stated)


def number_in(stated: str) -> str | None:
    """The number among the words of a statement: the only one, or the one that it begins with.

    None where that is not sure: a formula is no words, and neither ``5 or 6`` nor ``not 5`` states a number.
    """
    before, _, words = unwrapped(_TEXT.sub(r" \1 ", stated)).rpartition("=")
    words = words.strip("*`\"'\u201c\u201d\u2018\u2019 ")
    if _FORMULA.search(words) or _UNSURE.search(words) or _SEVERAL.search(before):
        return None
    found = [match[0] for match in _NUMBER.finditer(words)]
    return found[0] if len(found) == 1 or (found and words.startswith(found[0])) else None


def _boxed(text: str) -> str | None:
    """What the last box holds that holds anything; a box is where its brace closes."""
    opened, ends, boxes = list[tuple[int, bool]](), dict[int, int](), list[int]()
    for match in _BOX_OR_BRACE.finditer(text):
        token, boxed = match[0], match["box"] is not None
        if token.endswith("{") and token != "\\{":
            opened.append((match.end(), boxed))
        elif boxed:
            boxes.append(match.end())
        elif token == "}" and opened:
            begin, boxed = opened.pop()
            ends[begin] = match.start()
            boxes += [begin] if boxed else []
    held = (_bare(text, box, ends) if box not in ends else text[box : ends[box]].strip() for box in reversed(boxes))
    return next(filter(None, held), None)


def _bare(text: str, begin: int, ends: Mapping[int, int]) -> str | None:
    """What a box without braces holds; ``ends`` are where the groups end that begin there."""
    found = _BOXED_NUMBER.match(text, begin)
    end = found.end() if found else _end_of_argument(text, begin, ends)
    if not end or _GOES_ON.match(text, end):
        return None
    is_closed = found or text[end - 1] == "}"
    return None if (_IS_PART if is_closed else _MAY_BE_PART).match(text, end) else text[begin:end]


def _end_of_argument(text: str, place: int, ends: Mapping[int, int]) -> int | None:
    """Where one argument of TeX ends: a letter, a group, or a command with its own arguments."""
    wanted = 1
    for _ in range(_MAX_TOKENS):
        token = _TOKEN.match(text, place)
        if token is None or (token["group"] and token.end() not in ends):
            return None
        place = ends[token.end()] + 1 if token["group"] else token.end()
        arguments = _ARGUMENTS.get(token["command"])
        if token["command"] and arguments is None and wanted == 1 and text[place : place + 1] == "{":
            return _end_of_argument(text, place, ends)  # of a command that is not known: it may have one
        wanted += (arguments or 0) - 1
        if not wanted:
            return place
    return None


def _hashed(text: str) -> str | None:
    found = None
    for match in _HASHES.finditer(text):
        found = _sentence(match[1]) or found
    return found


def _said(text: str) -> str | None:
    found = None
    for match in _ANSWER_IS.finditer(text):
        words = match["rest"] if match["below"] is None else _below(match["below"], match["next"] or "")
        found = _sentence(_REASON.split(words, maxsplit=1)[0]) or found
    return found


def _sentence(words: str) -> str:
    return _SENTENCE_END.split(words, maxsplit=1)[0].strip(_AROUND)


def _below(line: str, following: str) -> str:
    """The line below, but for the first one of a working."""
    return "" if _formula(following).strip("$\\[]") else _formula(line)


def _formula(line: str) -> str:
    """A line that is a formula, or a number with its unit; empty where it is a sentence or an item of a list."""
    line = line.strip(_AROUND)
    like = _LIKE_A_FORMULA.match(line)
    return line if like and len(_WORD.findall(line)) <= (0 if like["letter"] else 2) else ""


def _last_number(text: str) -> str | None:
    found = None
    for match in _NUMBER.finditer(text):
        found = match[0]
    return found
