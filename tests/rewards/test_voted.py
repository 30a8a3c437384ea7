"""Votes of one sampled reward: mean and median, the quorum, and who may vote."""

from __future__ import annotations

from statistics import fmean, median, pvariance
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.core.options import module_of
from branchwise.orchestrator.rewards.voted import Voted
from tests.rewards.asking import PARTS, built, judgement, options_of, solution

NOISY = {"kind": "flipped", "share": 0.3, "reward": {"kind": "calculator"}}
RIGHT = solution("1+1=2\n")


async def single(k: int, name: str) -> float:
    options = options_of(**NOISY, seed=7).reseeded(k)
    found = await judgement(module_of(options).build(options, PARTS), solution("1+1=2\n", name=name))
    assert found.value is not None
    return found.value


@pytest.mark.parametrize(("combine", "rule"), [("mean", fmean), ("median", median)])
async def test_votes_are_those_of_the_reward_under_seeds_of_their_own(combine: str, rule: object) -> None:
    for name in map(str, range(20)):
        votes = [await single(k, name) for k in range(3)]
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
    return Voted(options, ()).made(votes)


VOTES = [Judgement(0.25), failed("no mark", text="so so"), Judgement(0.75)]


def test_a_vote_that_can_not_be_read_is_no_number() -> None:
    assert elected(VOTES).value == 0.5
    assert dict(elected(VOTES).factors) == {"votes": 2.0, "std": 0.25}
    lost = elected(VOTES, quorum=3)
    assert (lost.value, lost.rationale) == (None, "so so")
    assert lost.failure is not None
    assert lost.failure.message == "2 of 3 votes could be read: no mark"


PAIRS = {"kind": "pair_judge", "model": "m", "parsing": "think_rm"}
GREEDY = {"kind": "ab_prompt", "model": "m"}


@pytest.mark.parametrize(
    "reward",
    [
        {"kind": "think_prm", "model": "m", "chains": 4},
        {"kind": "gated", "reward": {"kind": "judge", "model": "m", "temperature": 0.7}},
        {"kind": "ensemble", "rewards": [{"kind": "grm", "model": "m"}, {"kind": "judge", "model": "m"}]},
        {"kind": "against_reference", "model": "m", "judge": PAIRS},
        {"kind": "against_reference", "model": "m", "temperature": 0.7, "judge": GREEDY},
        {"kind": "voted", "reward": NOISY},
        {"kind": "ensemble", "rewards": [{"kind": "calculator"}, {"kind": "listwise", "model": "m"}]},
    ],
)
def test_what_is_sampled_in_whatever_depth_votes(reward: dict[str, Any]) -> None:
    options_of(kind="voted", reward=reward)


@pytest.mark.parametrize(
    "reward",
    [
        {"kind": "calculator"},
        {"kind": "judge", "model": "m"},
        {"kind": "gated", "reward": {"kind": "judge", "model": "m"}},
        {"kind": "flipped", "share": 1.0, "reward": {"kind": "calculator"}},
        {"kind": "against_reference", "given": "answer", "temperature": 0.7, "judge": GREEDY},
        {"kind": "ensemble", "rewards": [{"kind": "calculator"}, {"kind": "think_prm", "model": "m"}]},
    ],
)
def test_what_always_says_the_same_does_not_vote(reward: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="the same vote"):
        options_of(kind="voted", reward=reward)


async def test_votes_on_votes_are_all_of_them_draws_of_their_own() -> None:
    """Sixteen votes of a coin, four by four: their mean has the variance of sixteen."""
    coin = {"kind": "flipped", "share": 0.5, "reward": {"kind": "calculator"}}
    reward = built(kind="voted", votes=4, reward={"kind": "voted", "votes": 4, "reward": coin})
    found = await reward.score([solution("1+1=2\n", name=str(name)) for name in range(400)])
    assert pvariance([each.value or 0.0 for each in found]) == pytest.approx(0.25 / 16, rel=0.25)


def test_the_quorum_is_within_reach() -> None:
    with pytest.raises(ValidationError, match="quorum"):
        options_of(kind="voted", reward=NOISY, votes=2, quorum=3)


def test_what_a_table_calls_it() -> None:
    assert options_of(kind="voted", reward=NOISY).described == "calculator, 30 % flipped, mean of 4"
