"""Another reward on another scale: each transform through the reward kind, scales, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Parts, source_of
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.transformed import Transformed
from tests.rewards.asking import PARTS, built, judgement, options_of, solution

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
        ("log_preference", [1.0, 3.0], -1.340026, "raw"),  # 0.85: log sigmoid(2 - 3.036433)
        ("normalised", [0.0, 2.0], 1.0, "raw"),
    ],
)
async def test_values(transform: str, references: list[float], value: float, scale: str) -> None:
    reward = built(kind="transformed", reward=RAW, transform=transform, references=references)
    found = await judgement(reward, solution("2"))
    assert found.value == pytest.approx(value, abs=5e-7)
    assert (found.scale, found.factors) == (scale, (("untransformed", 2.0),))


@pytest.mark.parametrize(("quantile", "value"), [(0.5, -0.693147), (0.85, -1.340026)])
async def test_the_reference_is_a_quantile(quantile: float, value: float) -> None:
    asked = {"reward": RAW, "transform": "log_preference", "references": [1.0, 3.0], "quantile": quantile}
    found = await judgement(built(kind="transformed", **asked), solution("2"))
    assert found.value == pytest.approx(value, abs=5e-7)


def by_problem(folder: Path, *lines: str) -> Parts:
    """Parts of a workflow that has such references beside it."""
    (folder / "references.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return replace(PARTS, directory=folder)


@pytest.mark.parametrize(
    ("transform", "hard", "easy"),
    [("preference", 0.880797, 0.5), ("log_preference", -0.126928, -0.693147), ("normalised", 2.0, -1.0)],
)
async def test_each_problem_has_its_own_references(tmp_path: Path, transform: str, hard: float, easy: float) -> None:
    """One reward is good for an answer to the hard problem, and not for one to the easy one."""
    lines = {
        "normalised": ('{"problem": "hard", "rewards": [-1, 1]}', "", '{"problem": "easy", "rewards": [2, 4]}'),
    }.get(transform, ('{"problem": "hard", "rewards": [0.0]}', "", '{"problem": "easy", "rewards": [2]}'))
    asked = {"kind": "transformed", "reward": RAW, "transform": transform, "references": "references.jsonl"}
    reward = built(by_problem(tmp_path, *lines), **asked)
    found = await reward.score([solution("2", name=name) for name in ("hard", "easy", "unknown")])
    assert [each.value for each in found[:2]] == [pytest.approx(hard, abs=5e-7), pytest.approx(easy, abs=5e-7)]
    assert found[2].failure is not None
    assert found[2].failure.message == "no references for the problem 'unknown'"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], r"references .*references\.jsonl:1: .*JSON"),
        (['{"problem": "a", "rewards": [1]}', "", '{"problem": "a", "rewards": [2]}'], r":3: problem 'a' has a line"),
        (['{"problem": "a", "rewards": []}'], r":1: rewards: "),
        (['{"problem": "a", "rewards": ["1"]}'], r":1: rewards\.0: "),
        (['{"problem": "a", "rewards": [NaN]}'], r":1: "),
        (['{"problem": 3, "rewards": [1]}'], r":1: problem: "),
        (['{"problem": "a", "rewards": [1], "by": "me"}'], r":1: by: "),
        (["[1]"], r":1: "),
        ([""], r"references\.jsonl: there are none in it"),
        (['{"problem": "a", "rewards": [1, 1]}'], r"problem 'a': normalised needs references that differ"),
    ],
)
def test_what_is_wrong_with_a_file_of_references_is_said(tmp_path: Path, lines: list[str], message: str) -> None:
    asked = {"kind": "transformed", "reward": RAW, "transform": "normalised", "references": "references.jsonl"}
    with pytest.raises(ConfigError, match=message):
        built(by_problem(tmp_path, *lines), **asked)
    with pytest.raises(ConfigError, match=r"references .*missing\.jsonl: No such file"):
        built(by_problem(tmp_path, *lines), **(asked | {"references": "missing.jsonl"}))


@pytest.mark.parametrize(
    ("transform", "step_reducer", "value"),
    [
        ("clipped", "sum", -0.8),
        ("deltas", "sum", 1.0),
        ("deltas", "min", -0.0),
        ("clipped_deltas", "sum", 0.0),  # of 0, -0.8, 0 it is 0.8, -0.8, 0
        ("clipped_deltas", "max", 0.8),
        ("progress", "last", 1.0),
    ],
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


def test_steps_are_transformed_once_and_never_multiplied() -> None:
    inner = {"kind": "gated", "reward": {"kind": "transformed", "transform": "clipped", "reward": STEPS}}
    with pytest.raises(ValidationError, match="clipped_deltas is both at once"):
        options_of(kind="transformed", transform="deltas", reward=inner)
    with pytest.raises(ValidationError, match="a product is made of probabilities"):
        options_of(kind="transformed", transform="clipped", step_reducer="product", reward=STEPS)


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
    assert (await judgement(reward, solution("1e99"))).value == 0.0
