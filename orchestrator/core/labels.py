"""Labels: how likely a model is to say one label rather than another, read at the first token that it drew.

1. Alternatives that are a label, white space (and, if wanted, case) aside, add up to its probability.
2. A label that is not listed is taken at the least likely alternative's probability, an upper bound; where both are
   missing there is no chance to speak of.
3. With l for the logarithms of both, the chance of the first is exp(l_1 / T) / (exp(l_1 / T) + exp(l_2 / T)): T is a
   temperature of the decision, which sharpens or softens it after the fact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from branchwise.orchestrator.core.request import Draw
from branchwise.orchestrator.core.selection import logistic


def label_chance(
    draw: Draw, one: str, other: str, temperature: float = 1.0, *, any_case: bool = False
) -> float | None:
    """The chance of ``one`` against ``other``, in [0, 1]; None where neither is listed."""
    if not draw.logprobs:
        return None
    first = draw.logprobs[0]
    alternatives = {**dict(first.top), first.token: first.logprob}.items()
    listed = [(_plain(token, any_case), logprob) for token, logprob in alternatives if math.isfinite(logprob)]
    found = [[logprob for token, logprob in listed if token == _plain(label, any_case)] for label in (one, other)]
    if not any(found):
        return None
    least = min(logprob for _, logprob in listed)
    p, q = (_summed(logprobs) if logprobs else least for logprobs in found)
    return logistic((p - q) / temperature)


def _plain(token: str, any_case: bool) -> str:
    return token.strip().casefold() if any_case else token.strip()


def _summed(logprobs: Sequence[float]) -> float:
    """The logarithm of the sum of these probabilities."""
    top = max(logprobs)
    return top + math.log(math.fsum(math.exp(each - top) for each in logprobs))
