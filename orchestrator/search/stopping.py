"""When enough answers have been drawn: the rules that stop a vote early. Pure arithmetic on the votes.

``none``       never: all N are drawn.
``decided``    no other answer can overtake the leader any more: the same majority for fewer draws.
``beta``       adaptive consistency: the leader's share of the two leading answers is above one half with at least
               ``confidence``, under a uniform prior: P = 1 - I_0.5(v1 + 1, v2 + 1). Looked at after every answer.
``dirichlet``  the same with all answers: the leader's probability is the greatest of all under
               Dirichlet(votes + 1), by seeded sampling; with two answers or fewer it is the Beta rule.
``esc``        early-stopping self-consistency: windows of ``window`` draws, until the answers of one all agree.
``doubling``   2, 4, 8, ... draws in all, until the leader has at least ``agreement`` of the answers.

A draw without an answer that can be read has no vote and is in no denominator. One vote agrees with nobody: a
window with fewer than two votes does not stop anything.

Aggarwal et al., arXiv 2305.11860 (Beta, Dirichlet); Li et al., arXiv 2401.10480 (ESC).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from branchwise.orchestrator.core.seeds import chance

Rule = Literal["none", "decided", "beta", "dirichlet", "esc", "doubling"]
SAMPLES = 2_000
"""Of the Dirichlet: a standard deviation of at most 0.005 at a probability of 0.95."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """One of the rules above, for at most ``n`` draws."""

    rule: Rule
    n: int
    confidence: float = 0.95
    agreement: float = 0.75
    window: int = 5
    seed: int = 0

    def horizon(self, told: int) -> int:
        """How many draws may be out or told before the rule looks again, when ``told`` have been told."""
        if self.rule == "esc":
            return min(self.n, (told // self.window + 1) * self.window)
        if self.rule == "doubling":
            return min(self.n, max(2, 1 << told.bit_length()))
        return self.n

    def stops(self, answers: Sequence[str | None]) -> bool:
        """True where these answers (None: none that can be read), in the order told, are enough."""
        votes = counts(answers)
        first, second = [*votes, 0, 0][:2]
        match self.rule:
            case "none":
                return False
            case "decided":
                return first > second + self.n - len(answers)
            case "beta":
                return beta_confidence(first, second) >= self.confidence
            case "dirichlet":
                # Leading all is leading the second, too: where the Beta rule goes on there is nothing to sample.
                return beta_confidence(first, second) >= self.confidence and (
                    dirichlet_confidence(votes, chance(self.seed, "stop", len(answers))) >= self.confidence
                )
            case "esc":
                return len(answers) % self.window == 0 and agreement(answers[-self.window :]) == 1
            case "doubling":
                return len(answers) == self.horizon(len(answers) - 1) and agreement(answers) >= self.agreement


def counts(answers: Sequence[str | None]) -> list[int]:
    """The votes of each answer, most first."""
    return sorted(Counter(answer for answer in answers if answer is not None).values(), reverse=True)


def agreement(answers: Sequence[str | None]) -> float:
    """The leader's share of the votes; 0 with fewer than two votes."""
    votes = counts(answers)
    return votes[0] / sum(votes) if sum(votes) > 1 else 0.0


def beta_confidence(first: int, second: int) -> float:
    """P(the leader's share of the two is above 1/2) after ``first`` and ``second`` votes, exactly."""
    n = first + second + 1
    return 1 - sum(comb(n, k) for k in range(second + 1)) / (1 << n)


def dirichlet_confidence(votes: Sequence[int], rng: random.Random, samples: int = SAMPLES) -> float:
    """P(the first answer's probability is the greatest) under Dirichlet(votes + 1); exact for up to two answers."""
    if len(votes) < 3:
        first, second = [*votes, 0, 0][:2]
        return beta_confidence(first, second)
    leads = 0
    for _ in range(samples):
        # Gamma variates, divided by their sum, are a Dirichlet's; who is the greatest needs no division.
        leader, *others = [rng.gammavariate(count + 1, 1.0) for count in votes]
        leads += leader > max(others)
    return leads / samples
