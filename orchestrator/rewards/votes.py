"""Votes on a group of responses: read from a critique, put back in order, and summed.

1. A vote is a whole number from 1 to 10 for each response that was shown, in the ``\\boxed{7, 4, 9}`` that ends the
   text. It stands alone in its line, or behind words that name scores: another one may be a response's, quoted by the
   critique. A wrong count, a fraction, a number off the scale, ``not`` or another box before it make it none.
2. Responses are shown in another order for each vote; the numbers are put back to the responses that they are about.
3. With scores of a meta reward only the votes that it thinks best of count, of equals the earlier ones.
4. The votes that count are summed: k votes give a response 9k + 1 possible sums, so that few tie. (The majority of
   votes' winners would be undefined where winners tie.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from branchwise.orchestrator.core.thinking import without_thinking

LOWEST: Final = 1
HIGHEST: Final = 10
MAX_CHARACTERS: Final = 2_000

_BOXED: Final = re.compile(
    r"^(?P<before>[^\w\\\n]{0,20}|[^\n]{0,200}\bscor(?:e|es|ing)\b[^\n]{0,80})(?:\\[\[(]\s{0,8})?"
    r"\\boxed\{(?P<scores>[^{}\n]{0,1000})\}[\s.$*\\\])]{0,20}\Z",
    re.MULTILINE | re.IGNORECASE,
)
_DENIES: Final = re.compile(r"\\boxed|\b(?:not|never|nor)\b|n['’]t\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,2}")


def scores_in(text: str, count: int) -> tuple[int, ...] | None:
    """The boxed list that ends a text: a whole number from 1 to 10 for each of ``count`` responses; else None."""
    box = _BOXED.search(without_thinking(text)[-MAX_CHARACTERS:])
    if box is None or _DENIES.search(box["before"]):
        return None
    written = [each.strip() for each in box["scores"].split(",")]
    if len(written) != count or not all(map(_NUMBER.fullmatch, written)):
        return None
    scores = tuple(map(int, written))
    return scores if all(LOWEST <= each <= HIGHEST for each in scores) else None


def put_back(vote: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """The vote by response, where ``order`` says which response was shown at each place."""
    by_response = dict(zip(order, vote, strict=True))
    return tuple(by_response[response] for response in range(len(vote)))


def best_votes(votes: Sequence[tuple[int, ...]], scores: Sequence[float], keep: int) -> list[tuple[int, ...]]:
    """The ``keep`` votes of the greatest scores, of equals the earlier ones, in their own order."""
    ranked = sorted(range(len(votes)), key=lambda number: -scores[number])
    return [votes[number] for number in sorted(ranked[:keep])]


def summed(votes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Each response's sum over the votes."""
    return tuple(map(sum, zip(*votes, strict=True)))
