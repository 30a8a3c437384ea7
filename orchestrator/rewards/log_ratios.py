"""Log ratios: what two models say of the same tokens, made into the rewards of steps. Pure.

1. Where the solution's tokens stand is found by their lengths. The solution, without the white space around it, is
   looked for at its last place; an occurrence within a token that holds more (a mark of the template's) is none.
2. White space around it counts as far as it is there: templates of chats trim a message that breaks off after a step.
3. Where characters are spread over several tokens, which then don't spell them, any run of characters beyond ASCII
   is taken for any other.
4. A step ends with the last token that begins before the step's end: a token that reaches across belongs to the
   earlier step. What the template adds after the solution belongs to none.
5. q_t = coefficient * sum over the solution's tokens up to there of log p - log p_reference; r_t = q_t - q_(t-1).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, pairwise
from typing import Final

from branchwise.orchestrator.core.request import TokenLogprob

FLOOR: Final = -100.0
"""The least log-probability that counts, in nats: the reference may find a token impossible."""

SIGN: Final = "\ufffd"
"""What stands for a part of a character that is spread over several tokens."""
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Span:
    """Where a solution's tokens stand: from ``first`` on, and ``ends``: how many of them each step has reached."""

    first: int
    ends: tuple[int, ...]


def span_of(tokens: Sequence[str], steps: Sequence[str]) -> Span:
    """Where the tokens of these steps, one after the other, stand. ValueError where that can't be told."""
    span = _located(_Cut.of(tokens), _Cut.of(steps)) or _spread(tokens, steps)
    if span is None:
        raise ValueError(
            "the tokens that came back don't spell the solution: the template changes more of it than the white "
            "space around it, or a step ends amid characters that are spread over tokens"
        )
    if not span.ends[-1]:
        raise ValueError("the solution has no token of its own: it is the end of one that begins before it")
    return span


@dataclass(frozen=True, slots=True)
class _Cut:
    """A text in pieces: ``places`` are where each of them begins, and where the last one ends."""

    text: str
    places: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Sequence[str]) -> _Cut:
        return cls("".join(pieces), tuple(accumulate(map(len, pieces), initial=0)))

    def squeezed(self) -> _Cut:
        """The same with one sign for each run of characters beyond ASCII; places amid a run are at its beginning."""
        marked = _BEYOND_ASCII.sub(SIGN, self.text)
        kept = [here != SIGN or following != SIGN for here, following in pairwise(marked + "\n")]
        before = list(accumulate(kept, initial=0))
        return _Cut("".join(compress(marked, kept)), tuple(before[place] for place in self.places))


def _spread(tokens: Sequence[str], steps: Sequence[str]) -> Span | None:
    """The span where tokens hold parts of characters. Two steps that meet amid a run of such are found nowhere."""
    alone = [_Cut.of([step]).squeezed().text for step in steps]
    span = _located(_Cut.of(tokens).squeezed(), _Cut.of(alone))
    parts = tokens[span.first : span.first + span.ends[-1]] if span else ()
    return span if any(SIGN in part for part in parts) else None


def _located(told: _Cut, written: _Cut) -> Span | None:
    core = written.text.strip()
    begin = _last_place(told, core)
    if begin < 0:
        return None
    before, _, after = written.text.partition(core)
    origin, end = begin - len(before), begin + len(core)
    low = origin if told.text.endswith(before, 0, begin) else begin
    high = end + len(after) if told.text.startswith(after, end) else end
    starts = told.places[:-1]
    first = bisect_left(starts, low)
    borders = (min(max(origin + place, low), high) for place in written.places[1:])
    return Span(first, tuple(bisect_left(starts, border) - first for border in borders))


def _last_place(told: _Cut, core: str) -> int:
    """Where the text stands for the last time, but not amid one token; -1 where it does not."""
    begin = told.text.rfind(core) if core else -1
    while begin >= 0 and _amid_a_token(told, begin, begin + len(core)):
        begin = told.text.rfind(core, 0, begin + len(core) - 1)
    return begin


def _amid_a_token(told: _Cut, begin: int, end: int) -> bool:
    """True where one token holds it all, and more than white space besides."""
    following = bisect_right(told.places, begin)
    first, last = told.places[following - 1], told.places[following]
    return end <= last and (told.text[first:begin] + told.text[end:last]).strip() != ""


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
