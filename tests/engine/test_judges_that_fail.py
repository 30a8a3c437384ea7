"""A reward model or a judge of pairs that gives too few judgements, or raises: it costs those judgements, no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
from branchwise.orchestrator.rewards import calculator
from tests.rewards.asking import built

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


class Sure(Fickle):
    """Judges all."""

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        return [Judgement(0.5) for _ in trajectories]


CALCULATOR = {"kind": "calculator"}
AROUND: list[dict[str, Any]] = [
    {"kind": "gated", "reward": CALCULATOR},
    {"kind": "flipped", "share": 0.5, "reward": CALCULATOR},
    {"kind": "transformed", "transform": "normalised", "references": [0.0, 1.0], "reward": CALCULATOR},
    {"kind": "ensemble", "rewards": [CALCULATOR, CALCULATOR]},
]


@pytest.mark.parametrize("options", AROUND, ids=[str(each["kind"]) for each in AROUND])
async def test_a_reward_that_says_nothing_costs_the_same_with_another_around_it(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [Sure(False), Fickle(False)]  # of an ensemble, the second one judges all
    monkeypatch.setattr(calculator, "build", lambda *_: members.pop())
    around = replace(means(False, True), reward=built(**options))
    outcome = await expand(Expansion(0, ROOT, 3, to_end=True), around)
    found = [candidate.judgement for candidate in outcome.candidates]
    assert [each.failure.message for each in found if each and each.failure] == ["2 judgements of 3 trajectories"] * 3


@pytest.mark.parametrize("raises", [False, True])
async def test_a_judge_of_pairs_that_says_nothing_costs_one_comparison(raises: bool) -> None:
    contest = Contest("copeland", Fickle(raises), Price())
    texts = ("0", "1", "2")
    entrants = [Candidate(ROOT.extend((Step(t),), k, StopReason.ANSWERED), Answer(t, t)) for k, t in enumerate(texts)]
    contested = Contested(contest, entrants, seed=0)
    await contested.play(Account("problem", Limits()), Account("run", Limits()), None)
    assert [failure.boundary for failure in contested.failures] == ["reward"]
    assert contested.selection(entrants).candidate in entrants
