"""Contest: the answer is chosen among a search's finished candidates by a tournament, after the search has ended.

1. Candidates without an answer do not take part. Of equal answers one does, that of the greatest value; of the others
   the ``pool`` best. They are seeded by value, or by chance.
2. The most that all comparisons can use is booked with the problem; what does not fit is not played at all.
3. Every match is compared as soon as both its sides are known. A comparison that fails is a tie.
4. The greatest score wins, of equals the one seeded first.

Nothing is written down but the judge's draws: from them, a contest that is resumed comes to the same end at no cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from branchwise.orchestrator.core.budget import Account, Reservation, Tally
from branchwise.orchestrator.core.errors import BoundaryError, BudgetRefused, Failure, RewardFailure, Suspended
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.roles import Pair, PairJudge
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.selection import Selection, Votes
from branchwise.orchestrator.core.together import bare
from branchwise.orchestrator.core.tournaments import Match, Rule, Tournament, comparisons, new_tournament
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.engine.refusals import budget_stop

ROLE = "judge"


@dataclass(frozen=True, slots=True)
class Contest:
    """Who judges, by which rule, at what price; who takes part."""

    rule: Rule
    judge: PairJudge
    price: Price = field(default_factory=Price)
    rounds: int = 2
    pool: int = 16
    distinct: bool = True
    seeding: Literal["value", "chance"] = "value"

    def entrants(self, candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
        """Those who take part, in the order of their seeding."""
        able = [each for each in candidates if each.answer is not None and each.failure is None]
        ranked = sorted(able, key=lambda each: (each.value is None, -(each.value or 0.0)))
        if self.distinct:
            best: dict[str, Candidate] = {}
            for each in ranked:
                best.setdefault(each.answer.canonical if each.answer else "", each)
            ranked = list(best.values())
        ranked = ranked[: self.pool]
        return ranked if self.seeding == "value" else chance(seed, "seeding").sample(ranked, len(ranked))

    def comparisons(self, count: int) -> int:
        """How many pairs are compared where ``count`` candidates have an answer, at most."""
        return comparisons(self.rule, min(count, self.pool), self.rounds)

    def bound(self, pairs: Sequence[Pair]) -> Usage:
        """The most that comparing any of these pairs can use and cost."""
        bounds = [self.price.bound(self.judge.bound(pair)) for pair in pairs]
        return Usage(
            max((one.prompt_tokens for one in bounds), default=0),
            max((one.completion_tokens for one in bounds), default=0),
            calls=max((one.calls for one in bounds), default=0),
            money=max((one.money for one in bounds), default=0.0),
        )


@dataclass(slots=True)
class Contested:
    """A contest under way, or over. ``stop`` says which budget cut it short."""

    contest: Contest
    entrants: list[Candidate]
    seed: int
    drawn: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)
    judgements: int = 0
    stop: StopReason | None = None
    _tournament: Tournament = field(init=False)
    _booked: list[Reservation] = field(default_factory=list)
    _suspended: Suspended | None = None

    def __post_init__(self) -> None:
        contest, rng = self.contest, chance(self.seed, "tournament")
        self._tournament = new_tournament(contest.rule, len(self.entrants), contest.rounds, rng)

    async def play(self, account: Account, run: Account, seconds: float | None) -> None:
        """All matches, booked with ``account`` and those above it, below ``run``. Suspended where asked to stop."""
        try:
            self._book(account, run)
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                self._start(group)
        except BudgetRefused as refused:
            self.stop = budget_stop(refused)
        except TimeoutError:
            self.stop = StopReason.BUDGET_SECONDS
        finally:
            for reservation in self._booked:
                reservation.settle()
        if self._suspended is not None:
            raise self._suspended

    def selection(self, candidates: Sequence[Candidate]) -> Selection:
        """The winner, and every answer's score beside how many of ``candidates`` gave it."""
        scores = self._tournament.scores()
        tally: dict[str, Votes] = {}
        for entrant, score in zip(self.entrants, scores, strict=True):
            answer = entrant.answer
            assert answer is not None
            count = sum(
                1 for each in candidates if each.answer is not None and each.answer.canonical == answer.canonical
            )
            known = tally.get(answer.canonical)
            if known is None or score > known.weight:
                tally[answer.canonical] = Votes(answer.canonical, answer.text, count, score)
        return Selection(self.entrants[scores.index(max(scores))], tuple(tally.values()))

    def _book(self, account: Account, run: Account) -> None:
        if account.bounded(until=run):
            most = self.contest.bound([Pair(*two) for two in combinations(self.entrants, 2)])
            for _ in range(self.contest.comparisons(len(self.entrants))):
                self._booked.append(account.reserve(most, ROLE, until=run))

    def _start(self, group: asyncio.TaskGroup) -> None:
        if self._suspended is None:
            for match in self._tournament.ask():
                group.create_task(self._play(match, group))

    async def _play(self, match: Match, group: asyncio.TaskGroup) -> None:
        try:
            probability = await self._compare(Pair(self.entrants[match.first], self.entrants[match.second]))
        except Suspended as suspended:  # those under way come home first
            self._suspended = suspended
            return
        self._tournament.tell(match, probability)
        self._start(group)

    async def _compare(self, pair: Pair) -> float | None:
        """How likely the first is better; None where nobody can say."""
        tally = Tally()
        try:
            with scope(role=ROLE, tally=tally):
                judgement = _only(await bare(self.contest.judge.compare([pair])))
        except BudgetRefused as refused:
            self.stop = budget_stop(refused)
            return None
        except BoundaryError as error:
            judgement = failed(str(error), self.contest.judge.source)
        finally:
            self.drawn.merge(tally)
            if self._booked:
                self._booked.pop().settle(tally.total if tally.by_role else NOTHING)
        self.judgements += 1
        if judgement.failure is not None:
            self.failures.append(judgement.failure)
        return judgement.value


def _only(judgements: Sequence[Judgement]) -> Judgement:
    """The judgement of one pair. RewardFailure where the judge gave none, or several."""
    if len(judgements) != 1:
        raise RewardFailure(f"{len(judgements)} judgements of one pair")
    return judgements[0]
