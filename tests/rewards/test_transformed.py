"""Another reward on another scale: each transform through the reward kind, scales, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import source_of
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.transformed import Transformed
from tests.rewards.asking import built, judgement, options_of, solution

RAW = {"kind": "rule", "callable": f"{__name__}:first_number", "scale": "raw"}
STEPS = {"kind": "calculator", "reducer": "mean"}
RAW_STEPS = {"kind": "process_model", "model": "m", "step_tag": "<t>", "reducer": "min", "activation": "none"}
CURVE = {"scale": "raw", "curve": {"method": "platt", "slope": 1.0, "intercept": 0.0}}
WRONG_IN_THE_MIDDLE = solution("1+1=2\n", "1+2=4\n", "1+3=4\n")


def first_number(trajectory: Trajectory) -> float:
    return float(trajectory.text)


@pytest.mark.parametrize(
    ("transform", "references", "value", "scale"),
    [
        ("preference", [1.0, 3.0], 0.5, "probability"),
        ("preference", [0.0], 0.880797, "probability"),
        ("log_preference", [2.0], -0.693147, "raw"),
        ("log_preference", [1.0, 3.0], -0.693147, "raw"),
        ("normalised", [0.0, 2.0], 1.0, "raw"),
    ],
)
async def test_values(transform: str, references: list[float], value: float, scale: str) -> None:
    reward = built(kind="transformed", reward=RAW, transform=transform, references=references)
    found = await judgement(reward, solution("2"))
    assert found.value == pytest.approx(value, abs=5e-7)
    assert (found.scale, found.factors) == (scale, (("untransformed", 2.0),))


@pytest.mark.parametrize(
    ("transform", "step_reducer", "value"),
    [("clipped", "sum", -0.8), ("deltas", "sum", 1.0), ("deltas", "min", -0.0), ("progress", "last", 1.0)],
)
async def test_step_scores(transform: str, step_reducer: str, value: float) -> None:
    reward = built(kind="transformed", reward=STEPS, transform=transform, step_reducer=step_reducer)
    found = await judgement(reward, solution("1+1=2\n", "1+2=4\n", "1+3=4\n") if transform != "deltas" else PADDED)
    assert found.value == pytest.approx(value)
    assert found.scale == "raw"


PADDED = solution("1+1=2\n", "1+1=2\n", "1+1=2\n", "1+1=2\n")


async def test_padding_pays_for_sums_and_not_for_deltas() -> None:
    reward = built(kind="transformed", reward=STEPS, transform="deltas")
    values = [(await judgement(reward, solution(*["1+1=2\n"] * count))).value for count in (2, 4, 10)]
    assert values == [1.0, 1.0, 1.0]


async def test_the_steps_keep_the_scores_of_the_other_reward() -> None:
    reward = built(kind="transformed", reward=STEPS, transform="progress")
    assert (await judgement(reward, WRONG_IN_THE_MIDDLE)).step_values == (1.0, 0.0, 1.0)


def test_without_step_scores_there_is_nothing_to_transform() -> None:
    outcome = {"kind": "outcome_model", "model": "rm"}
    for reward in (
        RAW,
        outcome,
        {"kind": "gated", "reward": RAW},
        {"kind": "ensemble", "rewards": [outcome, outcome]},
        {"kind": "judge", "model": "m"},
        {"kind": "grm", "model": "m"},
        {"kind": "listwise", "model": "m"},
        {"kind": "against_reference", "given": "a", "judge": {"kind": "ab_prompt", "model": "m"}},
        {"kind": "label_token", "model": "m", "reducer": "last", "every_step": False},
        {"kind": "gated", "reward": {"kind": "gated", "reward": {"kind": "judge", "model": "m"}}},
        {"kind": "calibrated", "calibration": CURVE, "reward": RAW_STEPS},
        {"kind": "transformed", "transform": "preference", "references": [0.0], "reward": RAW_STEPS},
        {"kind": "flipped", "share": 0.1, "reward": {"kind": "think_prm", "model": "m"}},
    ):
        with pytest.raises(ValidationError, match="no step scores"):
            options_of(kind="transformed", reward=reward, transform="clipped")


def test_a_reward_that_gave_no_step_scores_this_time_is_a_failure() -> None:
    options = options_of(kind="transformed", reward=STEPS, transform="clipped")
    found = Transformed(options, built(**STEPS)).made(0.5, Judgement(0.5), solution("x"))
    assert found.failure is not None
    assert "no step scores" in found.failure.message


async def test_failures_stay_failures() -> None:
    found = await judgement(built(kind="transformed", reward=STEPS, transform="progress"), solution())
    assert found.failure is not None


@pytest.mark.parametrize(("transform", "references"), [("preference", []), ("clipped", [1.0]), ("normalised", [])])
def test_references_where_they_belong(transform: str, references: list[float]) -> None:
    with pytest.raises(ValidationError, match="references"):
        options_of(kind="transformed", reward=RAW, transform=transform, references=references)


def test_equal_references_have_no_scale_to_normalise_on() -> None:
    with pytest.raises(ValidationError, match="references that differ"):
        options_of(kind="transformed", reward=RAW, transform="normalised", references=[2.0, 2.0])


def test_its_scale_is_known_before_anything_is_built() -> None:
    options = options_of(kind="transformed", reward=RAW, transform="preference", references=[0.0])
    flipped = options_of(kind="transformed", reward=STEPS, transform="clipped")
    assert (options.scale, flipped.scale) == ("probability", "raw")
    assert (options.described, source_of(flipped)) == ("rule, preference", "tool")


async def test_far_out_it_is_still_a_number() -> None:
    reward = built(kind="transformed", reward=RAW, transform="log_preference", references=[0.0])
    assert (await judgement(reward, solution("-1000"))).value == -1000.0
    assert (await judgement(reward, solution("1e300"))).value == 0.0
