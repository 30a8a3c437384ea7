"""Ensembles: each rule, normalisation, disagreement, failures, and which pairings are refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import source_of
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.ensemble import Ensemble
from tests.rewards.asking import built, judgement, options_of, solution


def number(place: int) -> dict[str, str]:
    """The reward that is the number in this place of the text."""
    return {"kind": "rule", "callable": f"{__name__}:number_{place}", "scale": "raw"}


def number_0(trajectory: Trajectory) -> float:
    return float(trajectory.text.split()[0])


def number_1(trajectory: Trajectory) -> float:
    return float(trajectory.text.split()[1])


def number_2(trajectory: Trajectory) -> float:
    return float(trajectory.text.split()[2])


THREE = [number(0), number(1), number(2)]
TWO = THREE[:2]


async def values(texts: list[str], **written: object) -> list[float | None]:
    found = await built(kind="ensemble", **written).score([solution(text) for text in texts])
    return [each.value for each in found]


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("mean", [1.0, 1.3333]),
        ("median", [1.0, 3.0]),
        ("min", [1.0, -2.0]),
        ("mean_minus_std", [1.0, -1.0237]),
        ("mean_minus_variance", [1.0, -4.2222]),
    ],
)
async def test_rules(combine: str, expected: list[float]) -> None:
    assert await values(["1 1 1", "3 3 -2"], rewards=THREE, combine=combine) == pytest.approx(expected, abs=5e-5)


async def test_no_scale_dominates_after_normalisation() -> None:
    references = [[0, 1, 2], [10, 30, 20]]
    found = await values(["0 10", "1 30", "2 20"], rewards=TWO, references=references)
    assert found == pytest.approx([-1.2247, 0.6124, 0.6124], abs=5e-5)


@pytest.mark.parametrize(("combine", "winner"), [("mean", 1), ("median", 1), ("min", 0), ("mean_minus_std", 0)])
async def test_pessimism_changes_the_winner(combine: str, winner: int) -> None:
    agreed, divided = await values(["1 1 1", "3 3 -2"], rewards=THREE, combine=combine)
    assert agreed is not None
    assert divided is not None
    assert (divided > agreed) == winner


async def test_soft_and_is_the_probability_of_being_good_at_all() -> None:
    references = [[-1.0, 1.0], [0.0]]
    found = await values(["0 0", "4 -4"], rewards=TWO, references=references, combine="soft_and", quantile=0.5)
    assert found == [pytest.approx(0.25), pytest.approx(math.exp(-4.0363), rel=5e-5)]
    assert (found[0] or 0) > (found[1] or 1)
    assert options_of(kind="ensemble", rewards=TWO, references=references, combine="soft_and").scale == "probability"


async def test_soft_and_is_centred_on_what_good_answers_are_given() -> None:
    """On the 0.85 quantile of each member's sample, by default: here 1.036433 and 0."""
    (found,) = await values(["1.036433 0"], rewards=TWO, references=[[-1.0, 1.0], [0.0]], combine="soft_and")
    assert found == pytest.approx(0.25)


async def test_disagreement_is_flagged() -> None:
    reward = built(kind="ensemble", rewards=TWO, disagreement=0.9)
    agreed, divided = await reward.score([solution("1 2"), solution("1 3")])
    assert dict(agreed.factors) == {"1 rule": 1.0, "2 rule": 2.0, "std": 0.5, "disagreement": 0.0}
    assert dict(divided.factors)["disagreement"] == 1.0


@pytest.mark.parametrize("combine", ["mean", "median", "min", "mean_minus_std", "mean_minus_variance", "soft_and"])
async def test_what_is_too_great_to_reckon_with_is_a_failure_and_raises_nothing(combine: str) -> None:
    references = [[0.0, 1e-300], [0.0, 1e-300]]
    texts = ["1e308 1e308", "1e155 -1e155", "1e99 -1e99"]
    scaled = await values(texts, rewards=TWO, combine=combine, references=references)
    assert combine == "soft_and" or scaled == [None] * 3
    if combine != "soft_and":
        assert (await values(texts, rewards=TWO, combine=combine))[:2] == [None, None]


async def test_a_member_that_fails_is_named_and_never_a_number() -> None:
    found = await judgement(built(kind="ensemble", rewards=TWO), solution("1 many"))
    assert found.failure is not None
    assert found.failure.message.startswith("member 2 rule:")


async def test_scores_of_steps_are_not_taken_for_a_members_own() -> None:
    reward = built(kind="ensemble", rewards=[{"kind": "calculator"}, {"kind": "calculator", "reducer": "mean"}])
    found = await judgement(reward, solution("1+1=2\n", scores=[0.1]))
    assert (found.value, found.step_values, found.source) == (1.0, (), "tool")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"rewards": [number(0), {"kind": "calculator"}]}, "different scales"),
        ({"rewards": TWO, "combine": "soft_and"}, "soft_and needs references"),
        ({"rewards": TWO, "references": [[1.0]]}, "one sample of rewards for each"),
        ({"rewards": TWO, "references": [[1.0], []]}, "one sample of rewards for each"),
        ({"rewards": TWO, "references": [[1.0, 1.0], [0.0, 2.0]]}, "all equal"),
        ({"rewards": TWO[:1]}, "at least 2"),
    ],
)
def test_what_makes_no_sense_is_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        options_of(kind="ensemble", **written)


def test_an_oracle_among_the_members_makes_it_one() -> None:
    oracle = {**number(1), "source": "oracle"}
    options = options_of(kind="ensemble", rewards=[number(0), oracle])
    assert (source_of(options), options.scale, options.described) == ("oracle", "raw", "mean of rule, rule")
    assert options_of(kind="ensemble", rewards=[{"kind": "calculator"}] * 2, combine="min").scale == "probability"
    assert options_of(kind="ensemble", rewards=[{"kind": "calculator"}] * 2, combine="mean_minus_std").scale == "raw"


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), st.sampled_from(["mean", "median", "min"]))
def test_its_value_lies_among_those_of_its_members(drawn: list[float], combine: str) -> None:
    options = options_of(kind="ensemble", rewards=TWO, combine=combine)
    found = Ensemble(options, (), ()).made([Judgement(value, "raw") for value in drawn])
    assert found.value is not None
    assert min(drawn) <= found.value <= max(drawn)


async def test_a_sampled_judge_that_is_listed_twice_is_asked_twice() -> None:
    """With one seed its members would always agree, and their standard deviation be 0."""
    noisy = {"kind": "flipped", "share": 0.5, "reward": {"kind": "calculator"}}
    for member in (noisy, {"kind": "gated", "reward": noisy}):
        reward = built(kind="ensemble", rewards=[noisy, member])
        found = await reward.score([solution("1+1=2\n", name=str(name)) for name in range(100)])
        assert 30 <= sum(dict(each.factors)["std"] > 0 for each in found) <= 70
