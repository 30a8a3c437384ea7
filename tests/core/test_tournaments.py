"""Tournaments: their cost, their winners, cycles, ties and failures."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.tournaments import Match, Rule, Tournament, comparisons, new_tournament
from branchwise.orchestrator.core.winning import Wins, against, borda, bradley_terry, copeland, maximised, nash

Judge = Callable[[int, int], float | None]
RULES: tuple[Rule, ...] = get_args(Rule)
every_rule = pytest.mark.parametrize("rule", RULES)


def played(tournament: Tournament, judge: Judge, order: random.Random | None = None) -> list[Match]:
    """Play it to its end, a match at a time, in any order of those that are ready; the matches."""
    ready, matches = tournament.ask(), list[Match]()
    while ready:
        match = ready.pop(order.randrange(len(ready)) if order else 0)
        matches.append(match)
        tournament.tell(match, judge(match.first, match.second))
        ready += tournament.ask()
    return matches


def scores(rule: Rule, count: int, judge: Judge, rounds: int = 2, seed: int = 0) -> list[float]:
    tournament = new_tournament(rule, count, rounds, random.Random(seed))
    played(tournament, judge)
    return tournament.scores()


def winner(rule: Rule, count: int, judge: Judge, rounds: int = 2, seed: int = 0) -> int:
    found = scores(rule, count, judge, rounds, seed)
    return found.index(max(found))


def matrix(rows: list[list[float]]) -> Wins:
    wins = Wins(len(rows))
    for one in range(len(rows)):
        for other in range(one):
            wins.add(one, other, rows[one][other])
    return wins


CYCLE = matrix([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])
CONDORCET = matrix([[0.5, 0.4, 0.9], [0.6, 0.5, 0.6], [0.1, 0.4, 0.5]])


class TestCosts:
    @pytest.mark.parametrize(
        ("rule", "count", "rounds", "cost"),
        [
            ("knockout", 8, 1, 7),
            ("knockout", 5, 1, 4),
            ("copeland", 6, 1, 15),
            ("borda", 6, 1, 15),
            ("nash", 6, 1, 15),
            ("bootstrap", 6, 1, 5),
            ("bootstrap", 6, 2, 9),  # 2 x 5, less the pair of the references
            ("bootstrap", 6, 9, 15),
            ("bradley_terry", 6, 1, 6),
            ("bradley_terry", 6, 2, 12),
            ("bradley_terry", 6, 9, 15),
            *((rule, count, 2, count - 1) for rule in RULES for count in (1, 2)),
        ],
    )
    def test_the_number_of_comparisons(self, rule: Rule, count: int, rounds: int, cost: int) -> None:
        assert comparisons(rule, count, rounds) == cost
        tournament = new_tournament(rule, count, rounds, random.Random(1))
        matches = played(tournament, lambda first, second: 0.7)
        assert len(matches) == len({frozenset((m.first, m.second)) for m in matches}) == cost

    def test_of_nobody_nothing(self) -> None:
        assert [comparisons(rule, 0) for rule in RULES if rule != "knockout"] == [0] * 5
        assert comparisons("knockout", 0) == 0


class TestWinners:
    @every_rule
    @given(st.permutations(range(7)), st.integers(0, 9))
    def test_who_beats_everybody_wins(self, rule: Rule, strength: list[int], seed: int) -> None:
        def judge(first: int, second: int) -> float:
            return 1 / (1 + math.exp(strength[second] - strength[first]))

        best = strength.index(6)
        assert winner(rule, 7, judge, rounds=7, seed=seed) == best

    @every_rule
    def test_if_all_are_equal_or_nothing_can_be_compared_the_first_wins(self, rule: Rule) -> None:
        for verdict in (0.5, None):
            assert winner(rule, 5, lambda first, second, verdict=verdict: verdict) == 0  # type: ignore[misc]

    @every_rule
    @given(st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
    def test_the_order_in_which_verdicts_arrive_changes_nothing(
        self, rule: Rule, count: int, seed: int, order: int
    ) -> None:
        def judge(first: int, second: int) -> float:
            return random.Random(f"{seed} {first} {second}").random()

        one, other = (new_tournament(rule, count, 2, random.Random(seed)) for _ in range(2))
        played(one, judge)
        played(other, judge, random.Random(order))
        assert one.scores() == pytest.approx(other.scores(), abs=1e-9)

    def test_a_knockout_goes_on_where_its_match_is_ready_not_round_by_round(self) -> None:
        tournament = new_tournament("knockout", 8, 1, random.Random(1))
        first = tournament.ask()
        assert [(m.first, m.second) for m in first] == [(0, 7), (3, 4), (1, 6), (2, 5)]
        tournament.tell(first[0], 1.0)
        tournament.tell(first[1], 1.0)
        assert [(m.first, m.second) for m in tournament.ask()] == [(0, 3)]  # the other half is still playing

    def test_the_first_two_of_the_seeding_meet_in_the_final_only(self) -> None:
        for count in range(2, 20):
            tournament = new_tournament("knockout", count, 1, random.Random(1))
            matches = played(tournament, lambda first, second: 1.0 if first < second else 0.0)
            assert matches[-1] == Match(0, 1)
            assert tournament.scores()[0] == max(tournament.scores())

    def test_a_knockout_can_miss_who_beats_most(self) -> None:
        """Its price: one lost match is the end; the same verdicts, each against each, elect another."""
        upset = {(0, 3): 0.0}
        judge: Judge = lambda first, second: upset.get((first, second), 1.0)  # noqa: E731
        assert winner("copeland", 4, judge) == 0
        assert winner("knockout", 4, judge) == 1


class TestScores:
    def test_shares_of_the_beaten_and_mean_probabilities(self) -> None:
        assert copeland(CONDORCET) == [0.5, 1.0, 0.0]
        assert borda(CONDORCET) == pytest.approx([0.65, 0.6, 0.25])  # the Condorcet winner is not Borda's

    def test_the_vector_of_the_references(self) -> None:
        order = matrix([[0.5, 1, 1, 1], [0, 0.5, 1, 1], [0, 0, 0.5, 1], [0, 0, 0, 0.5]])
        assert against(order, [1]) == [1, 0, -1, -1]
        assert against(order, [0, 1, 2, 3]) == pytest.approx([1, 1 / 3, -1 / 3, -1])

    @given(st.lists(st.floats(-2, 2), min_size=2, max_size=5))
    def test_strengths_are_found_again(self, strengths: list[float]) -> None:
        wins, count = Wins(len(strengths)), len(strengths)
        for one in range(count):
            for other in range(one):
                wins.add(one, other, 1 / (1 + math.exp(strengths[other] - strengths[one])))
        found = bradley_terry(wins)
        for one in range(count):
            for other in range(one):
                assert found[one] - found[other] == pytest.approx(strengths[one] - strengths[other], abs=0.1)

    def test_who_always_wins_is_not_infinitely_strong(self) -> None:
        found = bradley_terry(matrix([[0.5, 1, 1], [0, 0.5, 1], [0, 0, 0.5]]))
        assert found[0] > found[1] > found[2]
        assert all(map(math.isfinite, found))

    def test_a_circle_of_comparisons_is_enough_for_strengths(self) -> None:
        strength = [3.0, 2.0, 1.0, 0.0, -1.0, -2.0]
        found = scores("bradley_terry", 6, lambda a, b: 1 / (1 + math.exp(strength[b] - strength[a])), rounds=1)
        assert sorted(found, reverse=True) == found


class TestNash:
    def test_rock_paper_scissors_is_a_third_each(self) -> None:
        assert nash(CYCLE) == pytest.approx([1 / 3] * 3, abs=1e-15)

    def test_who_beats_everybody_has_it_all(self) -> None:
        assert nash(CONDORCET) == [0.0, 1.0, 0.0]

    def test_the_vector_of_the_worst_win_rate_with_three_eighths(self) -> None:
        game = matrix([[0.5, 0.9, 0.2], [0.1, 0.5, 0.6], [0.8, 0.4, 0.5]])
        assert borda(game) == pytest.approx([0.55, 0.35, 0.60])
        assert nash(game) == pytest.approx([1 / 8, 3 / 8, 1 / 2], abs=1e-12)

    @given(st.integers(1, 7), st.integers(0, 2**32))
    def test_nobody_beats_the_mixture(self, count: int, seed: int) -> None:
        rng, wins = random.Random(seed), Wins(count)
        for one in range(count):
            for other in range(one):
                wins.add(one, other, rng.choice([0.0, 0.5, 1.0, rng.random()]))
        shares = nash(wins)
        assert math.fsum(shares) == pytest.approx(1)
        assert min(shares) >= 0
        for one in range(count):
            assert math.fsum(wins.over(one, other) * shares[other] for other in range(count)) <= 0.5 + 2e-6

    def test_twelve_in_no_time(self) -> None:
        rng, wins = random.Random(3), Wins(12)
        for one in range(12):
            for other in range(one):
                wins.add(one, other, rng.random())
        assert math.fsum(nash(wins)) == pytest.approx(1)

    def test_the_linear_program_itself(self) -> None:
        assert maximised([[Fraction(1, 2), Fraction(1)], [Fraction(1), Fraction(1, 4)]]) == [
            Fraction(6, 7),
            Fraction(4, 7),
        ]
