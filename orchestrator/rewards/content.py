"""Content: whether a finished answer says anything that could be judged.

1. Punctuation and white space are dropped; letters, digits and symbols beyond ASCII (such as that of infinity) stay.
   Where nothing stays, the answer is empty.
2. Openers, which announce an answer, are dropped from the front. Where nothing stays, that is all there is.
3. A single sentence of some length without a digit that only announces what is to be done is a truncated beginning,
   unless the task reads an answer in it that is shorter than the text.

Such texts make judges of all sizes say yes: Zhao et al. 2025, "One Token to Fool LLM-as-a-Judge", arXiv 2507.08794.
What holds a digit always passes.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MASTER_KEYS: Final = (
    "",
    " ",
    ".",
    ",",
    ":",
    "Thought process:",
    "Let's solve this problem step by step.",
    "Solution",
    "解",
    "解答",
    "かいせつ",
    "Respuesta",
    "Solución",
)
"""Answers without content that have fooled judges."""

OPENERS: Final = (
    "Thought process", "Thinking process", "Reasoning", "Explanation", "Solution", "The solution is", "Answer",
    "The answer is", "Final answer", "Let's solve this problem step by step", "Let's solve this step by step",
    "Let's think step by step", "Let us think step by step", "Let's begin", "Step by step", "Here is the solution",
    "Here is the answer", "Sure", "Okay", "Of course", "Certainly", "解", "解答", "答案", "解析", "かいせつ", "解説",
    "回答", "答え", "Respuesta", "Solución", "La respuesta es", "Explicación", "Lösung", "Antwort", "Réponse",
)  # fmt: skip
"""What may stand before an answer and is none."""

BEGINNINGS: Final = (
    "to solve", "to find", "to determine", "to answer", "to calculate", "in order to", "let's", "let us", "first",
    "we need to", "we have to", "we will", "we can", "we are asked", "i will", "i'll", "i need to",
    "the problem asks", "this problem", "this question",
)  # fmt: skip
"""How sentences begin that announce what is to be done."""
FEWEST_WORDS: Final = 5
"""Of such a sentence: less may be an answer."""


def refusal(text: str, answer: str | None = None) -> str | None:
    """Why a text is not worth judging, None where it is; ``answer`` is what the task reads in it."""
    words = words_of(text)
    if not words:
        return "the answer is empty"
    if any(character.isnumeric() for word in words for character in word):
        return None
    rest = _without_openers(words)
    if not rest:
        return "the answer is an opener and nothing more"
    if _announces(rest) and _one_sentence(text) and (answer is None or words_of(answer) in ([], words)):
        return "the answer only announces what is to be done"
    return None


def words_of(text: str) -> list[str]:
    """The words of a text, without case and punctuation, in one spelling of each character."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(map(_kept, plain)).split()


def _kept(character: str) -> str:
    """The character, a space in its place, or nothing where it is invisible."""
    category = unicodedata.category(character)
    if category[0] in "LNM" or (category[0] == "S" and not character.isascii()):
        return character
    return "" if category == "Cf" or character in "'\u2019" else " "


_OPENERS: Final = sorted(map(words_of, OPENERS), key=len, reverse=True)
_BEGINNINGS: Final = [words_of(beginning) for beginning in BEGINNINGS]


def _without_openers(words: list[str]) -> list[str]:
    while opener := next((each for each in _OPENERS if words[: len(each)] == each), None):
        words = words[len(opener) :]
    return words


def _announces(words: list[str]) -> bool:
    return len(words) >= FEWEST_WORDS and any(words[: len(beginning)] == beginning for beginning in _BEGINNINGS)


def _one_sentence(text: str) -> bool:
    body = text.strip().rstrip(".!?…:")
    return not any(mark in body for mark in (". ", ".\n", "! ", "? ", "\n", "。"))
