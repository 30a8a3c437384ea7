"""Log ratios: what two models say of the same tokens, made into the rewards of steps. Pure.

1. The tokens of the prompt are found in the text by their lengths; the solution is the last place where it stands.
   Where characters are spread over several tokens, all characters beyond ASCII are left out of the search.
2. A step ends with the last token that begins before the step's end: a token that reaches across belongs to the
   earlier step.
3. q_t = coefficient * sum over the solution's tokens up to there of log p - log p_reference; r_t = q_t - q_(t-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from branchwise.orchestrator.core.request import TokenLogprob

FLOOR: Final = -100.0
"""The least log-probability that counts, in nats: the reference may find a token impossible."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a solution's tokens stand: from ``first`` on, and ``ends``: how many of them each step has reached."""

    first: int
    ends: tuple[int, ...]


def span_of(tokens: Sequence[str], steps: Sequence[str]) -> Span:
    """Where the tokens of these steps, one after the other, stand. ValueError where the tokens don't spell them."""
    span = _located(tokens, steps) or _located(list(map(_ascii, tokens)), list(map(_ascii, steps)))
    if span is None:
        raise ValueError("the tokens that came back don't spell the solution")
    return span


def _located(tokens: Sequence[str], steps: Sequence[str]) -> Span | None:
    text, solution = "".join(tokens), "".join(steps)
    begin = text.rfind(solution)
    if begin < 0 or not solution:
        return None
    starts = list(accumulate(map(len, tokens), initial=0))[:-1]
    inside = [start for start in starts if start >= begin]
    borders = list(accumulate(map(len, steps), initial=begin))[1:]
    ends = tuple(sum(start < border for start in inside) for border in borders)
    return Span(len(starts) - len(inside), ends)


def _ascii(text: str) -> str:
    """A text without the characters that may be spread over several tokens, none of which then spells them."""
    return text.encode("ascii", "ignore").decode("ascii")


def cumulative(
    model: Sequence[TokenLogprob], reference: Sequence[TokenLogprob], steps: Sequence[str], coefficient: float
) -> list[float]:
    """q_t of each step. ValueError where the two don't have the same tokens, or these don't spell the steps."""
    if [each.token for each in model] != [each.token for each in reference]:
        raise ValueError(
            "the model and its reference read different tokens: they need the same tokenizer and template"
        )
    span = span_of([each.token for each in model], steps)
    pairs = zip(model[span.first :], reference[span.first :], strict=True)
    sums = list(
        accumulate((max(one.logprob, FLOOR) - max(other.logprob, FLOOR) for one, other in pairs), initial=0.0)
    )
    return [coefficient * sums[end] for end in span.ends]


def step_rewards(q: Sequence[float]) -> list[float]:
    """r_t = q_t - q_(t-1), with q_0 = 0."""
    return [now - before for before, now in pairwise([0.0, *q])]
