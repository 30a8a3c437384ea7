"""Content: whether a finished answer says anything that could be judged.

1. Thoughts are no answer. Tags such as ``</think>`` and LaTeX that only lays out, ``\\boxed{}`` say, are dropped, and
   then punctuation and white space; letters, digits and symbols beyond ASCII (such as that of infinity) stay. Where
   nothing stays, the answer is empty, unless the text is one of the signs that may be an answer, such as ``<``.
2. Openers, which announce an answer, are dropped from the front. Where nothing stays, that is all there is.
3. A single sentence of some length without a digit that only announces what is to be done is a truncated beginning:
   somebody is going to (``we need to``, ``let us``, ``in order to``) do what one does on the way to an answer
   (``find``, ``look at``), or the problem is told again. It is none where it gives a reason, denies or concludes
   something, or where the task reads an answer in it that is shorter than the text. What stands behind a colon, or
   behind the comma of ``To find it, multiply``, has to announce something, too.

Such texts make judges of all sizes say yes: Zhao et al. 2025, "One Token to Fool LLM-as-a-Judge", arXiv 2507.08794.
What holds a digit, not in thoughts, always passes. Everything takes a time that grows with the length of the text,
not with its square.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import dropwhile
from typing import Final

from branchwise.orchestrator.core.thinking import without_thinking

OPENERS: Final = (
    "Thought process", "Thinking process", "Reasoning", "Explanation", "Solution", "The solution", "The solution is",
    "Answer", "The answer", "The answer is", "Final answer", "The final answer", "The final answer is",
    "My answer is", "The correct answer", "The correct answer is", "The right answer is", "Therefore", "Thus",
    "Hence", "So", "Let's solve this problem step by step", "Let's solve this step by step",
    "Let's solve this problem", "Let me solve this problem step by step", "Let me solve this step by step",
    "Let's think step by step", "Let us think step by step", "Let me think step by step", "Let's think about this",
    "Let me think", "Let's begin", "Step by step", "Here is the solution", "Here is the answer",
    "Here is my solution", "Here is my answer",
    "Here's the solution", "Here's the answer", "Here's my solution", "to the problem", "to your problem",
    "to this problem", "We will now proceed", "Sure", "Okay", "Alright", "Of course", "Certainly", "解", "解答",
    "答案", "解析", "かいせつ", "解説", "回答", "答え", "Respuesta", "Solución", "La respuesta es", "Explicación",
    "Lösung", "Antwort", "Réponse",
)  # fmt: skip
"""What may stand before an answer and is none."""

INTENTIONS: Final = (
    "to", "in order to", "let's", "let us", "let me", "we need to", "we have to", "we must", "we should", "we will",
    "we can", "we are going to", "we are asked to", "i need to", "i have to", "i will", "i'll", "i am going to",
)  # fmt: skip
"""How sentences begin that announce what somebody is going to do."""
DOINGS: Final = (
    "solve", "find", "determine", "answer", "calculate", "compute", "evaluate", "look", "start", "begin",
    "analyze", "analyse", "consider", "examine", "think", "break", "work", "understand", "figure", "proceed",
    "identify", "approach", "explore", "review", "use", "apply", "check", "simplify",
)  # fmt: skip
"""What one does on the way to an answer."""
ADVERBS: Final = ("first", "now", "then", "next", "carefully", "also", "just")
"""What may stand before either."""
TOLD_AGAIN: Final = (
    "the problem asks", "the question asks", "this problem asks", "this question asks", "this problem requires",
    "this problem involves", "we are asked", "we are given",
)  # fmt: skip
"""How sentences begin that only tell the problem again."""
CLAIMS: Final = frozenset((
    "because", "since", "therefore", "thus", "hence", "conclude", "concludes", "conclusion", "no", "not",
    "none", "never", "cannot", "cant", "isnt", "impossible", "doesnt", "dont",
))  # fmt: skip
"""Words of those who say something about the matter itself."""
FEWEST_WORDS: Final = 5
"""Of such a sentence: less may be an answer."""

_LAYOUT: Final = re.compile(
    r"<[/|]?[a-z_]{1,30}[/|]?>"
    r"|\\(?:begin|end)\{[a-z]{1,20}\*?\}"
    r"|\\(?:boxed|fbox|text[a-z]{0,10}|math[a-z]{1,10}|[dt]?frac|sqrt|left|right|displaystyle|q?quad)(?![a-z])",
    re.IGNORECASE,
)
_SIGN: Final = re.compile(r"[<>=+*/%&|^~-]|[<>!=]=|&&|\|\|")


def refusal(text: str, answer: str | None = None) -> str | None:
    """Why a text is not worth judging, None where it is; ``answer`` is what the task reads in it."""
    text = text if answer is not None else without_thinking(text)
    words = words_of(text)
    if not words:
        return None if _SIGN.fullmatch(_bare(text)) else "the answer is empty"
    if any(character.isnumeric() for word in words for character in word):
        return None
    rest = _without_openers(words)
    if not rest:
        return "the answer is an opener and nothing more"
    if _announces(rest, text) and _one_sentence(text) and (answer is None or words_of(answer) in ([], words)):
        return "the answer only announces what is to be done"
    return None


def words_of(text: str) -> list[str]:
    """The words of a text, without layout, case and punctuation, in one spelling of each character."""
    plain = unicodedata.normalize("NFKC", _LAYOUT.sub(" ", text)).casefold()
    return "".join(map(_kept, plain)).split()


def _kept(character: str) -> str:
    """The character, a space in its place, or nothing where it is invisible."""
    category = unicodedata.category(character)
    if category[0] in "LNM" or (category[0] == "S" and not character.isascii()):
        return character
    return "" if category == "Cf" or character in "'\u2019" else " "


def _bare(text: str) -> str:
    """The text without layout, and without the brackets and the white space around it."""
    return unicodedata.normalize("NFKC", _LAYOUT.sub("", text)).strip("${}. \t\r\n")


_OPENERS: Final = sorted(map(words_of, OPENERS), key=len, reverse=True)
_BY_FIRST_WORD: Final = {first: [each for each in _OPENERS if each[0] == first] for first, *_ in _OPENERS}
_INTENTIONS: Final = [words_of(intention) for intention in INTENTIONS]
_PURPOSES: Final = [["to"], ["in", "order", "to"]]
_SUBJECTS: Final[list[list[str]]] = [[], ["we"], ["i"]]
_DOINGS: Final = [[doing] for doing in DOINGS]
_TOLD_AGAIN: Final = [words_of(beginning) for beginning in TOLD_AGAIN]


def _without_openers(words: list[str]) -> list[str]:
    start = 0
    while start < len(words):
        may_be = _BY_FIRST_WORD.get(words[start], ())
        opener = next((each for each in may_be if words[start : start + len(each)] == each), None)
        if opener is None:
            break
        start += len(opener)
    return words[start:]


def _announces(words: list[str], text: str) -> bool:
    if len(words) < FEWEST_WORDS or not CLAIMS.isdisjoint(words):
        return False
    begun = _without_adverbs(words)
    if not (_begins(begun, _TOLD_AGAIN) or _means_to_do(begun, _INTENTIONS)):
        return False
    clauses = [text.partition(mark)[2] for mark in (":", "," if _begins(begun, _PURPOSES) else ":")]
    others = [_without_adverbs(each) for each in map(words_of, clauses) if each]
    return all(_means_to_do(each, [*_INTENTIONS, *_SUBJECTS]) for each in others)


def _begins(words: list[str], beginnings: list[list[str]]) -> bool:
    return any(words[: len(beginning)] == beginning for beginning in beginnings)


def _means_to_do(words: list[str], beginnings: list[list[str]]) -> bool:
    done = [words[len(beginning) :] for beginning in beginnings if words[: len(beginning)] == beginning]
    return any(_without_adverbs(each)[:1] in _DOINGS for each in done)


def _without_adverbs(words: list[str]) -> list[str]:
    return list(dropwhile(ADVERBS.__contains__, words))


def _one_sentence(text: str) -> bool:
    body = text.strip().rstrip(".!?…:")
    return not any(mark in body for mark in (". ", ".\n", "! ", "? ", "\n", "。"))
