"""Votes on a group of responses: read from a critique, put back in order, and summed.

1. A vote is a whole number from 1 to 10 for each response that was shown, in the last ``\\boxed{7, 4, 9}`` of the
   text. Another count, a fraction or a number off the scale make it none.
2. Responses are shown in another order for each vote; the numbers are put back to the responses that they are about.
3. With scores of a meta reward only the votes that it thinks best of count, of equals the earlier ones.
4. The votes that count are summed: k votes give a response 9k + 1 possible sums, so that few tie. (The majority of
   votes' winners would be undefined where winners tie.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from branchwise.orchestrator.core.spoken import spoken

LOWEST: Final = 1
HIGHEST: Final = 10

_BOXED: Final = re.compile(r"\\boxed\{([^{}]{0,1000})\}")
_NUMBER: Final = re.compile(r"[0-9]{1,2}")


def vote_in(text: str, count: int) -> tuple[int, ...] | None:
    """The last boxed list of a text: a whole number from 1 to 10 for each of ``count`` responses; None otherwise."""
    boxes = _BOXED.findall(spoken(text))
    written = [each.strip() for each in boxes[-1].split(",")] if boxes else []
    if len(written) != count or not all(map(_NUMBER.fullmatch, written)):
        return None
    vote = tuple(map(int, written))
    return vote if all(LOWEST <= each <= HIGHEST for each in vote) else None


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
