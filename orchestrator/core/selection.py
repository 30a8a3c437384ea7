"""Answer selection: which of the finished candidates gives the answer.

``naive``        the candidate with the greatest value.
``majority``     the most frequent canonical answer.
``weighted``     the canonical answer with the greatest sum of vote weights (weighted best-of-N).
``recommended``  the candidate that the search itself would answer with, if it says one; else as ``naive``.

1. A candidate that failed or states no answer has no vote and is never selected.
2. Candidates whose value is missing rank behind those with a value, and add nothing to a weighted vote.
3. Weights are never negative, else an answer would lose by being frequent: a probability is its own weight, a
   logit or a raw score goes through the logistic function at temperature 1.
4. Ties go to what was seen first; the winning group is represented by its first-seen candidate.

Reference: weighted best-of-N in Snell et al. 2024, "Scaling LLM Test-Time Compute Optimally", section 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from branchwise.orchestrator.core.expansion import Candidate

Rule = Literal["naive", "majority", "weighted", "recommended"]


@dataclass(frozen=True, slots=True)
class Votes:
    """What one group of equal answers received; ``text`` is its first-seen spelling."""

    canonical: str
    text: str
    count: int
    weight: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected candidate (None: nobody stated an answer) and the votes by answer, in first-seen order."""

    candidate: Candidate | None
    tally: tuple[Votes, ...] = ()


def select(rule: Rule, candidates: Sequence[Candidate], recommended: Candidate | None = None) -> Selection:
    """Select by ``rule``; ValueError where naive selection would compare values on different scales.

    ``recommended`` is what the search would answer with, one of the candidates.
    """
    voters = [each for each in candidates if each.answer is not None and each.failure is None]
    groups = _grouped(voters)
    tally = tuple(_votes(canonical, members) for canonical, members in groups.items())
    if not voters:
        return Selection(None)
    if rule == "recommended" and recommended in voters:
        return Selection(recommended, tally)
    if rule in ("naive", "recommended"):
        return Selection(_best(voters), tally)
    winner = max(tally, key=lambda votes: votes.count if rule == "majority" else votes.weight)
    return Selection(groups[winner.canonical][0], tally)


def vote_weight(candidate: Candidate) -> float:
    """What a candidate's vote counts, never negative; 0 without a value."""
    judgement, value = candidate.judgement, candidate.value
    if judgement is None or value is None:
        return 0.0
    return max(0.0, value) if judgement.scale == "probability" else logistic(value)


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)) without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _grouped(voters: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    groups: dict[str, list[Candidate]] = {}
    for each in voters:
        if each.answer is not None:
            groups.setdefault(each.answer.canonical, []).append(each)
    return groups


def _votes(canonical: str, members: Sequence[Candidate]) -> Votes:
    first = members[0].answer
    weight = math.fsum(map(vote_weight, members))
    return Votes(canonical, first.text if first is not None else canonical, len(members), weight)


def _best(voters: Sequence[Candidate]) -> Candidate:
    scales = {each.judgement.scale for each in voters if each.judgement is not None and each.value is not None}
    if len(scales) > 1:
        raise ValueError(f"values on different scales can't be compared: {sorted(scales)}")
    return max(voters, key=lambda each: -math.inf if each.value is None else each.value)
