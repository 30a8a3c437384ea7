"""Votes of one sampled reward: mean and median, the quorum, and who may vote."""

from __future__ import annotations

from statistics import fmean, median

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.rewards.voted import Voted
from tests.rewards.asking import built, judgement, options_of, solution

NOISY = {"kind": "flipped", "share": 0.3, "reward": {"kind": "calculator"}}
RIGHT = solution("1+1=2\n")


async def single(seed: int, name: str) -> float:
    found = await judgement(built(**NOISY, seed=seed), solution("1+1=2\n", name=name))
    assert found.value is not None
    return found.value


@pytest.mark.parametrize(("combine", "rule"), [("mean", fmean), ("median", median)])
async def test_votes_are_those_of_the_reward_under_seeds_of_their_own(combine: str, rule: object) -> None:
    for name in map(str, range(20)):
        votes = [await single(seed, name) for seed in (7, 8, 9)]
        reward = built(kind="voted", reward={**NOISY, "seed": 7}, votes=3, combine=combine)
        found = await judgement(reward, solution("1+1=2\n", name=name))
        assert found.value == pytest.approx(rule(votes))  # type: ignore[operator]
        assert dict(found.factors)["votes"] == 3.0


async def test_many_votes_outweigh_the_noise() -> None:
    reward = built(kind="voted", reward=NOISY, votes=33, combine="median")
    found = await reward.score([solution("1+1=2\n", name=str(name)) for name in range(100)])
    assert sum(each.value == 1.0 for each in found) >= 95


def elected(votes: list[Judgement], **written: object) -> Judgement:
    options = options_of(kind="voted", reward=NOISY, votes=len(votes), **written)
    return Voted(options, ())._elected(votes)


VOTES = [Judgement(0.25), failed("no mark", text="so so"), Judgement(0.75)]


def test_a_vote_that_can_not_be_read_is_no_number() -> None:
    assert elected(VOTES).value == 0.5
    assert dict(elected(VOTES).factors) == {"votes": 2.0, "spread": 0.25}
    lost = elected(VOTES, quorum=3)
    assert (lost.value, lost.rationale) == (None, "so so")
    assert lost.failure is not None
    assert lost.failure.message == "2 of 3 votes could be read: no mark"


def test_only_what_is_sampled_votes() -> None:
    with pytest.raises(ValidationError, match="the same vote"):
        options_of(kind="voted", reward={"kind": "calculator"})
    with pytest.raises(ValidationError, match="quorum"):
        options_of(kind="voted", reward=NOISY, votes=2, quorum=3)


def test_what_a_table_calls_it() -> None:
    assert options_of(kind="voted", reward=NOISY).described == "flipped, mean of 4"
