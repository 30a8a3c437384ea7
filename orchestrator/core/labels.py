"""Labels: how likely a model is to say one label rather than another, read at the first token that it drew.

1. Alternatives that are a label, white space aside, add up to its probability.
2. A label that is not listed is taken at the least likely alternative's probability, an upper bound; where both are
   missing there is no chance to speak of.
3. With l for the logarithms of both, the chance of the first is exp(l_1 / T) / (exp(l_1 / T) + exp(l_2 / T)): T is a
   temperature of the decision, which sharpens or softens it after the fact.
"""

from __future__ import annotations

import math

from branchwise.orchestrator.core.request import Draw
from branchwise.orchestrator.core.selection import logistic


def label_chance(draw: Draw, one: str, other: str, temperature: float = 1.0) -> float | None:
    """The chance of ``one`` against ``other``, in [0, 1]; None where neither is listed."""
    if not draw.logprobs:
        return None
    first = draw.logprobs[0]
    listed = {**dict(first.top), first.token: first.logprob}
    chances = [
        math.fsum(math.exp(logprob) for token, logprob in listed.items() if token.strip() == label)
        for label in (one, other)
    ]
    if not any(chances):
        return None
    least = min(listed.values())
    p, q = (math.log(chance) if chance else least for chance in chances)
    return logistic((p - q) / temperature) if p != q else 0.5
