"""Answer selection."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.answers import to_answer
from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Scale, failed, judged
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.selection import Rule, logistic, select, vote_weight
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory

RULES: tuple[Rule, ...] = ("naive", "majority", "weighted", "recommended")


def candidate(answer: str | None, value: float | None = None, scale: Scale = "probability") -> Candidate:
    trajectory = Trajectory(problem("?"), stop=StopReason.ANSWERED)
    judgement = None if value is None else judged(value, scale=scale, source="rule")
    return Candidate(trajectory, to_answer(answer), judgement)


def winner(rule: Rule, candidates: list[Candidate]) -> str | None:
    chosen = select(rule, candidates).candidate
    return chosen.answer.text if chosen is not None and chosen.answer is not None else None


@pytest.mark.parametrize("rule", RULES)
def test_nobody_answered(rule: Rule) -> None:
    assert select(rule, []).candidate is None
    assert select(rule, [candidate(None, 0.9), candidate("", 1.0)]).candidate is None


@pytest.mark.parametrize("rule", RULES)
def test_a_missing_answer_or_a_failed_candidate_has_no_vote(rule: Rule) -> None:
    lost = Candidate(candidate("7").trajectory, to_answer("7"), failure=Failure("backend", "gone"))
    voters = [candidate(None, 1.0), candidate(None, 1.0), lost, lost, candidate("3", 0.1)]
    assert winner(rule, voters) == "3"
    assert [votes.canonical for votes in select(rule, voters).tally] == ["3"]


@pytest.mark.parametrize("rule", RULES)
def test_without_values_the_first_seen_wins_ties(rule: Rule) -> None:
    assert winner(rule, [candidate("2"), candidate("1")]) == "2"


def test_missing_values_rank_last() -> None:
    unjudged = Candidate(candidate("1").trajectory, to_answer("1"), failed("no score"))
    assert winner("naive", [unjudged, candidate("2", -5.0, "raw")]) == "2"
    assert winner("weighted", [unjudged, unjudged, candidate("2", 0.01)]) == "2"
    assert winner("majority", [unjudged, unjudged, candidate("2", 0.01)]) == "1"


@pytest.mark.parametrize("rule", RULES)
def test_ties_go_to_the_first_seen(rule: Rule) -> None:
    assert winner(rule, [candidate("b", 0.5), candidate("a", 0.5)]) == "b"


@pytest.mark.parametrize("rule", ["majority", "weighted"])
def test_the_first_seen_spelling_is_returned(rule: Rule) -> None:
    voters = [candidate("9", 0.3), candidate(r"\frac{1}{2}", 0.3), candidate("0.5", 0.4), candidate("1/2", 0.2)]
    assert winner(rule, voters) == r"\frac{1}{2}"


def test_a_frequent_answer_does_not_lose_by_negative_scores() -> None:
    voters = [candidate("a", -1.0, "raw"), candidate("a", -1.0, "raw"), candidate("b", -0.9, "raw")]
    assert winner("weighted", voters) == "a"
    assert winner("naive", voters) == "b"
    assert vote_weight(voters[0]) == pytest.approx(1 / (1 + math.e))


def test_a_vote_weight_is_never_negative() -> None:
    assert vote_weight(candidate("a", 0.25)) == 0.25
    assert vote_weight(candidate("a", -0.25)) == 0
    assert vote_weight(candidate("a")) == 0
    assert vote_weight(candidate("a", -1e9, "logit")) == 0
    assert vote_weight(candidate("a", 1e9, "logit")) == 1


def test_naive_selection_refuses_to_compare_scales() -> None:
    with pytest.raises(ValueError, match="different scales"):
        select("naive", [candidate("a", 0.5), candidate("b", 3.0, "logit")])


def test_the_tally_counts_and_weighs() -> None:
    tally = select("weighted", [candidate("1", 0.5), candidate("2", 0.25), candidate("1.0", 0.25)]).tally
    assert [(votes.canonical, votes.text, votes.count, votes.weight) for votes in tally] == [
        ("1", "1", 2, 0.75),
        ("2", "2", 1, 0.25),
    ]


def test_what_the_search_recommends_is_taken_if_it_states_an_answer() -> None:
    voters = [candidate("1", 0.9), candidate("2", 0.1), candidate(None, 1.0)]
    assert select("recommended", voters, voters[1]).candidate is voters[1]
    assert select("recommended", voters, voters[2]).candidate is voters[0]
    assert select("recommended", voters).candidate is voters[0]
    assert select("naive", voters, voters[1]).candidate is voters[0]


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "1.0", None]), st.none() | st.floats(0, 1)), max_size=12))
def test_every_rule_selects_one_of_the_answers(pairs: list[tuple[str | None, float | None]]) -> None:
    voters = [candidate(answer, value) for answer, value in pairs]
    for rule in RULES:
        selection = select(rule, voters)
        assert (selection.candidate is None) == all(answer is None for answer, _ in pairs)
        assert sum(votes.count for votes in selection.tally) == sum(answer is not None for answer, _ in pairs)


@given(st.floats(-800, 800))
def test_the_logistic_function_is_symmetric(x: float) -> None:
    assert logistic(x) + logistic(-x) == pytest.approx(1)
