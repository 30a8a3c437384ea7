"""The rule of the constrained sentence, as three factors of 0 to 1; a rule reward can use it too.

``words``     share of the required words that occur, as whole words in any case.
``length``    1 within 6 to 12 words, less by a sixth for each word too few or too many.
``sentence``  1 if it is one sentence: a single line that ends with its only ``.``, ``!`` or ``?``.

Only public data are read: the required words are in the problem's metadata.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from branchwise.orchestrator.core.trajectory import Trajectory

MIN_WORDS: Final = 6
MAX_WORDS: Final = 12
MAX_CHARACTERS: Final = 2_000

_WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_ENDING: Final = re.compile(r"[.!?]+")
_PREAMBLE: Final = re.compile(
    r"[^\n]{0,200}:[ \t*]{0,8}\n\s{0,8}|(?:sure|here|sentence|answer|output)\b[^\n:]{0,100}:[ \t*]{1,8}",
    re.IGNORECASE,
)
_QUOTES: Final = '*`"“” \t\r\n'


def verify(trajectory: Trajectory) -> dict[str, float]:
    """The factors of a trajectory's sentence."""
    required = str(trajectory.problem.metadata.get("words", "")).split()
    return verdict(sentence_of(trajectory.text), required)


def verdict(sentence: str, required: Sequence[str]) -> dict[str, float]:
    """The factors of a sentence that must contain the ``required`` words."""
    sentence = sentence[:MAX_CHARACTERS]
    words = [word.casefold() for word in _WORD.findall(sentence)]
    present = sum(word.casefold() in words for word in required)
    excess = max(MIN_WORDS - len(words), len(words) - MAX_WORDS, 0)
    return {
        "words": present / len(required) if required else 1.0,
        "length": max(0.0, 1 - excess / MIN_WORDS),
        "sentence": float(_is_one_sentence(sentence)),
    }


def sentence_of(text: str) -> str:
    """The sentence in a model's text, without an announcement such as "Here it is:" and without quotes."""
    text = text.strip(_QUOTES)[:MAX_CHARACTERS]
    match = _PREAMBLE.match(text)
    return text[match.end() :].strip(_QUOTES) if match else text.strip(_QUOTES)


def _is_one_sentence(sentence: str) -> bool:
    ends = _ENDING.findall(sentence)
    return len(ends) == 1 and sentence.endswith(ends[0]) and len(sentence) > len(ends[0]) and "\n" not in sentence
