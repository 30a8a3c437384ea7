"""Labels: how likely a model is to say one label rather than another, read at the first token that it drew.

1. Alternatives that are a label, or the beginning of one and not of the other, add up to its probability: a label may
   be longer than a token. White space (and, if wanted, case) does not count.
2. Let r be what all alternatives leave over. A label that is not listed may have anything from 0 to r. Where both are
   missing nothing is decided; where one is, and the other has less than 3 r, neither: the model is about to say
   something else, or no one can tell what.
3. Else the label that is not listed is taken at the least of r and the least likely alternative. The chance of the
   other one lies between p / (p + r), which is 3/4 at least, and 1: so what is told is at most 1/4 off.
4. With l for the logarithms of both, the chance of the first is exp(l_1 / T) / (exp(l_1 / T) + exp(l_2 / T)): T is a
   temperature of the decision, which sharpens or softens it after the fact. (The bound is that of T = 1.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from branchwise.orchestrator.core.request import Draw
from branchwise.orchestrator.core.selection import logistic

DECISIVE: Final = 3.0
"""Times that a label is as likely as all that is not listed together, if the other one is not listed."""
UNDECIDED: Final = "neither label is likely enough among the alternatives"
"""Why there is no chance."""


def label_chance(
    draw: Draw, one: str, other: str, temperature: float = 1.0, *, any_case: bool = False
) -> float | None:
    """The chance of ``one`` against ``other``, in [0, 1]; None where nothing is decided."""
    if not draw.logprobs:
        return None
    first = draw.logprobs[0]
    alternatives = {**dict(first.top), first.token: first.logprob}.items()
    listed = [(_plain(token, any_case), logprob) for token, logprob in alternatives if math.isfinite(logprob)]
    this, that = _plain(one, any_case), _plain(other, any_case)
    found = [
        [logprob for token, logprob in listed if _tells(token, label, rest)]
        for label, rest in ((this, that), (that, this))
    ]
    if not any(found):
        return None
    rest = _rest([logprob for _, logprob in listed])
    if not all(found) and _summed(found[0] or found[1]) < rest + math.log(DECISIVE):
        return None
    unlisted = min(rest, *(logprob for _, logprob in listed))
    p, q = (_summed(logprobs) if logprobs else unlisted for logprobs in found)
    return logistic((p - q) / temperature)


def _plain(token: str, any_case: bool) -> str:
    return token.strip().casefold() if any_case else token.strip()


def _tells(token: str, label: str, other: str) -> bool:
    return token == label or (token != "" and label.startswith(token) and not other.startswith(token))


def _rest(logprobs: Sequence[float]) -> float:
    """The logarithm of what these probabilities leave over; minus infinity where that is nothing."""
    listed = _summed(logprobs)
    return math.log(-math.expm1(listed)) if listed < 0 else -math.inf


def _summed(logprobs: Sequence[float]) -> float:
    """The logarithm of the sum of these probabilities."""
    top = max(logprobs)
    return top + math.log(math.fsum(math.exp(each - top) for each in logprobs))
