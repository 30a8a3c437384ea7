"""Outlook: draws to come and what the next vote is worth."""

from collections import Counter

import pytest

from branchwise.orchestrator.core.expansion import Answer, Candidate
from branchwise.orchestrator.core.outlook import Outlook
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory


def test_commits_are_counted_down_and_answers_voted() -> None:
    outlook, root = Outlook(3), Trajectory(problem("p"))
    done = Candidate(root.extend((), 0, StopReason.ANSWERED), Answer("7", "7"))
    outlook.committed([done, Candidate(root.extend((), 1))])
    assert (outlook.remaining_draws, outlook.votes) == (1, Counter({"7": 1}))
    outlook.committed([done, done])
    assert outlook.remaining_draws == 0


def test_the_next_vote_says_less_the_more_there_are_and_the_more_they_agree() -> None:
    values = [
        Outlook(votes=votes).value_of_information for votes in (Counter[str](), Counter(a=1, b=1), Counter(a=2))
    ]
    assert values == pytest.approx([1 / 2, 2 / 4 / 3, 1 / 4 / 3])
