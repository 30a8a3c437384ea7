"""A reward model or a judge of pairs that gives too few judgements, or raises: it costs those judgements, no more."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from branchwise.orchestrator.core.budget import Account, Limits
from branchwise.orchestrator.core.errors import RewardFailure
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion
from branchwise.orchestrator.core.judgement import Judgement, Source
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import Pair, Reply, View
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.engine.contest import Contest, Contested
from branchwise.orchestrator.engine.expand import Means, expand

ROOT = Trajectory(problem("a problem"))


class Parrot:
    """Says whose child it is."""

    async def reply(self, view: View) -> list[Reply]:
        return [Reply((Step(str(view.first + k)),), StopReason.ANSWERED) for k in range(view.count)]

    def bound(self, view: View) -> Usage:
        return NOTHING


class Fickle:
    """Judges all but one: of that it says nothing, or raises."""

    source: Source = "judge"

    def __init__(self, raises: bool) -> None:
        self.raises = raises

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        judged = [each for each in trajectories if each.text != "1"]
        if self.raises and len(judged) < len(trajectories):
            raise RewardFailure("no idea")
        return [Judgement(0.5) for _ in judged]

    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]:
        return await self.score([pair.second.trajectory for pair in pairs])

    def bound(self, *_: object) -> Usage:
        return NOTHING


def means(raises: bool, together: bool) -> Means:
    return Means(Parrot(), Fickle(raises), lambda each: Answer(each.text, each.text), 0, together=together)


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("together", [False, True])
async def test_a_reward_that_says_nothing_costs_what_was_judged_with_it(raises: bool, together: bool) -> None:
    outcome = await expand(Expansion(0, ROOT, 3), means(raises, together))
    assert [candidate.answer is not None for candidate in outcome.candidates] == [True] * 3
    judgements = [candidate.judgement for candidate in outcome.candidates]
    failed = [judgement is not None and judgement.failure is not None for judgement in judgements]
    assert failed == [together, True, together]


@pytest.mark.parametrize("raises", [False, True])
async def test_a_judge_of_pairs_that_says_nothing_costs_one_comparison(raises: bool) -> None:
    contest = Contest("copeland", Fickle(raises), Price())
    texts = ("0", "1", "2")
    entrants = [Candidate(ROOT.extend((Step(t),), k, StopReason.ANSWERED), Answer(t, t)) for k, t in enumerate(texts)]
    contested = Contested(contest, entrants, seed=0)
    await contested.play(Account("problem", Limits()), Account("run", Limits()), None)
    assert [failure.boundary for failure in contested.failures] == ["reward"]
    assert contested.selection(entrants).candidate in entrants
