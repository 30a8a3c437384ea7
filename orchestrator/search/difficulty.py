"""How easy a problem looks after some whole answers, without the key: what allocation by difficulty goes by.

``value``      the mean judged value of the answers, the paper's predicted difficulty.
``agreement``  the share of the leading answer among them; one that can't be read agrees with none.

A draw that was lost says nothing. Where nothing was said at all there is no number, and the problem counts as hard.

Snell et al., arXiv 2408.03314, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.search.particles import score
from branchwise.orchestrator.search.stopping import counts

By = Literal["value", "agreement"]


def ease(answers: Sequence[Candidate], by: By) -> float | None:
    """The greater, the easier; None where nothing can be said."""
    return mean_value(answers) if by == "value" else agreement(answers)


def mean_value(answers: Sequence[Candidate]) -> float | None:
    """The mean of the values that there are."""
    values = [value for each in answers if (value := score(each)) is not None]
    return fmean(values) if values else None


def agreement(answers: Sequence[Candidate]) -> float | None:
    """The leading answer's share of the finished ones; None where none can be read."""
    finished = [each for each in answers if each.done]
    votes = counts([each.answer.canonical if each.answer else None for each in finished])
    return votes[0] / len(finished) if votes else None
