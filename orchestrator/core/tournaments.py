"""Tournaments: which of several candidates is best by judgements of pairs. Pure: who meets whom, and what follows.

Candidates are the numbers 0 to n - 1 in the order of their seeding, the most promising first: ties go to it.

=================  =========================================  =============================================
rule               comparisons of n candidates                a candidate's score
=================  =========================================  =============================================
``knockout``       n - 1                                      matches won; the greatest is the winner's
``copeland``       n (n - 1) / 2                              share of the others that it beats, 1/2 for a tie
``borda``          n (n - 1) / 2                              mean probability of beating another one
``nash``           n (n - 1) / 2                              its share in the mixed strategy that nobody beats
``bootstrap``      rounds (n - 1), each pair once             mean of +1 and -1 against references by chance
``bradley_terry``  rounds n, each pair once                   strength in a fitted Bradley-Terry model
=================  =========================================  =============================================

A comparison that could not be made counts as a tie, one half. ``nash`` alone does justice to cycles (A beats B beats
C beats A); ``bradley_terry`` is wrong for them. It compares everybody with the next ``rounds`` in a circle.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final, Literal, Protocol

from branchwise.orchestrator.core.winning import Wins, against, borda, bradley_terry, copeland, nash

Rule = Literal["knockout", "copeland", "borda", "nash", "bootstrap", "bradley_terry"]
HALF: Final = 0.5
OPEN: Final = -1


@dataclass(frozen=True, slots=True)
class Match:
    """Two candidates to be compared."""

    first: int
    second: int


class Tournament(Protocol):
    """Asked for matches that can be played now, and told the probability that the first one wins; None: a failure."""

    def ask(self) -> list[Match]: ...
    def tell(self, match: Match, probability: float | None) -> None: ...
    def scores(self) -> list[float]: ...


@dataclass(slots=True)
class Scheduled:
    """A tournament whose matches are known from the start."""

    count: int
    matches: list[Match]
    score: Callable[[Wins], list[float]]
    played: dict[Match, float] = field(default_factory=dict)
    _asked: bool = False

    def ask(self) -> list[Match]:
        """All matches, the first time."""
        asked, self._asked = [] if self._asked else self.matches, True
        return asked

    def tell(self, match: Match, probability: float | None) -> None:
        """Take in a result."""
        self.played[match] = HALF if probability is None else probability

    def scores(self) -> list[float]:
        """A score each, by what was played."""
        wins = Wins(self.count)
        for match, probability in self.played.items():
            wins.add(match.first, match.second, probability)
        return self.score(wins)


@dataclass(slots=True)
class Knockout:
    """Winners go on. ``bracket`` is a binary tree as in a heap: who came to each place, OPEN while that is undecided.

    Where the number of candidates is no power of two, the first ones have nobody to beat in the first round.
    """

    count: int
    bracket: list[int] = field(init=False)
    won: list[int] = field(init=False)
    _playing: dict[Match, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seeded = [0]
        while len(seeded) < self.count:
            seeded = [place for seed in seeded for place in (seed, 2 * len(seeded) - 1 - seed)]
        self.bracket, self.won = [OPEN] * (len(seeded) - 1) + seeded, [0] * self.count
        for place in self._ready():
            if max(self._pair(place)) >= self.count:
                self.bracket[place] = min(self._pair(place))

    def ask(self) -> list[Match]:
        """The matches both sides of which are known, each once."""
        new = {Match(*sorted(self._pair(place))): place for place in self._ready()}
        asked = [match for match in new if match not in self._playing]
        self._playing |= new
        return asked

    def tell(self, match: Match, probability: float | None) -> None:
        """The winner goes on; of equals, the one seeded first."""
        winner = match.first if probability is None or probability >= HALF else match.second
        self.bracket[self._playing.pop(match)] = winner
        self.won[winner] += 1

    def scores(self) -> list[float]:
        """Matches won."""
        return [float(won) for won in self.won]

    def _pair(self, place: int) -> tuple[int, int]:
        return self.bracket[2 * place + 1], self.bracket[2 * place + 2]

    def _ready(self) -> list[int]:
        inner = range(len(self.bracket) // 2)
        return [place for place in inner if self.bracket[place] == OPEN and OPEN not in self._pair(place)]


def comparisons(rule: Rule, count: int, rounds: int = 1) -> int:
    """How many pairs of ``count`` candidates are compared."""
    if rule == "knockout":
        return max(0, count - 1)
    return len(_pairs(rule, count, rounds, list(range(count))))


def new_tournament(rule: Rule, count: int, rounds: int, rng: random.Random) -> Tournament:
    """A tournament of ``count`` candidates; ``rng`` draws the references, and the order of the circle."""
    if rule == "knockout":
        return Knockout(count)
    order = rng.sample(range(count), count)
    scores: dict[Rule, Callable[[Wins], list[float]]] = {
        "copeland": copeland,
        "borda": borda,
        "nash": nash,
        "bootstrap": lambda wins: against(wins, order[:rounds]),
        "bradley_terry": bradley_terry,
    }
    return Scheduled(count, _pairs(rule, count, rounds, order), scores[rule])


def _pairs(rule: Rule, count: int, rounds: int, order: Sequence[int]) -> list[Match]:
    """The pairs to be compared, each once."""
    if rule == "bootstrap":
        pairs = [(one, each) for each in order[:rounds] for one in range(count) if one != each]
    elif rule == "bradley_terry":
        steps = range(1, min(rounds, count // 2) + 1)
        pairs = [(order[place], order[(place + step) % count]) for step in steps for place in range(count)]
    else:
        pairs = list(combinations(range(count), 2))
    return list(dict.fromkeys(Match(min(pair), max(pair)) for pair in pairs))
