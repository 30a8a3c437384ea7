"""Published or hand-worked numbers for answer selection and step reduction."""

import pytest

from branchwise.orchestrator.core.answers import canonical, to_answer
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import judged
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.selection import Rule, select
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.reducers import Reducer, reduced

VOTES = [("A", 0.2), ("A", 0.3), ("A", 0.1), ("B", 0.9), ("B", 0.8)]


@pytest.mark.parametrize(("rule", "answer"), [("naive", "B"), ("majority", "A"), ("weighted", "B")])
def test_five_votes(rule: Rule, answer: str) -> None:
    root = Trajectory(problem("?"))
    voters = [
        Candidate(root, to_answer(text), judged(value, scale="probability", source="learned"))
        for text, value in VOTES
    ]
    selection = select(rule, voters)
    assert selection.candidate is not None
    assert selection.candidate.answer is not None
    assert selection.candidate.answer.text == answer
    assert {votes.text: round(votes.weight, 9) for votes in selection.tally} == {"A": 0.6, "B": 1.7}


def test_three_spellings_of_a_half_are_one_group() -> None:
    assert {canonical(text) for text in ("1/2", "0.5", r"\frac{1}{2}")} == {"1/2"}


@pytest.mark.parametrize(
    ("reducer", "value"), [("last", 0.8), ("min", 0.2), ("product", 0.144), ("mean", 1.9 / 3), ("max", 0.9)]
)
def test_three_step_scores(reducer: Reducer, value: float) -> None:
    assert reduced(reducer, [0.9, 0.2, 0.8]) == pytest.approx(value)
