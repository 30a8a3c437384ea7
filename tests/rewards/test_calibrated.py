"""The calibrated reward: its curve, its file, and that a calibration is not taken for another reward."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise import solve_batch
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.request import Identity
from branchwise.orchestrator.core.trajectory import Trajectory
from tests.rewards.asking import PARTS, Pooling, built, judgement, numbers, options_of, parts_of, solution

SURE = {"kind": "rule", "callable": f"{__name__}:sure"}
HALVED = {"curve": {"method": "temperature", "temperature": 2.0}}
MODEL: dict[str, Any] = {"kind": "outcome_model", "model": "rm"}


def sure(trajectory: Trajectory) -> float:
    return 0.9


async def test_the_curve_is_applied_and_the_value_before_recorded() -> None:
    found = await judgement(built(kind="calibrated", reward=SURE, calibration=HALVED), solution("x"))
    assert found.value == pytest.approx(0.75)
    assert (found.scale, found.factors) == ("probability", (("uncalibrated", 0.9),))


async def test_a_raw_score_becomes_a_chance() -> None:
    model = Pooling(lambda request: numbers((3.0,)))
    curve = {"curve": {"method": "platt", "slope": 1.0, "intercept": -3.0}, "scale": "raw"}
    reward = built(parts_of({"rm": model}), kind="calibrated", reward=MODEL, calibration=curve)
    assert (await judgement(reward, solution("x"))).value == 0.5


def test_a_curve_for_another_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes raw scores, and rule gives probability ones"):
        built(kind="calibrated", reward=SURE, calibration={**HALVED, "scale": "raw"})
    parts = replace(parts_of({"rm": Pooling(lambda request: numbers((3.0,)))}), directory=written(tmp_path))
    with pytest.raises(ConfigError, match="takes probability scores, and outcome_model gives raw ones"):
        built(parts, kind="calibrated", reward=MODEL, calibration="curve.json")


def test_a_value_that_is_on_another_scale_after_all_gives_no_number() -> None:
    reward: Any = built(kind="calibrated", reward=SURE, calibration=HALVED)
    found = reward.made(3.0, Judgement(3.0, "raw"), solution("x"))
    assert found.failure is not None
    assert "a calibration of probability scores" in found.failure.message


async def test_steps_keep_the_scores_of_the_other_reward() -> None:
    reward = built(kind="calibrated", reward={"kind": "calculator"}, calibration=HALVED)
    found = await judgement(reward, solution("1+1=2\n", "1+1=3\n"))
    assert found.step_values == (1.0, 0.0)
    assert found.value == pytest.approx(0.001, abs=1e-3)


def written(folder: Path, **more: Any) -> Path:
    (folder / "curve.json").write_text(json.dumps({**HALVED, **more}), encoding="utf-8")
    return folder


async def test_it_is_read_from_a_file_beside_the_workflow(tmp_path: Path) -> None:
    parts = replace(PARTS, directory=written(tmp_path, reward=options_of(**SURE).model_dump(mode="json")))
    reward = built(parts, kind="calibrated", reward=SURE, calibration="curve.json")
    assert (await judgement(reward, solution("x"))).value == pytest.approx(0.75)


def test_another_rewards_calibration_is_refused(tmp_path: Path) -> None:
    fitted = options_of(**SURE, reducer="min").model_dump(mode="json")
    parts = replace(PARTS, directory=written(tmp_path, reward=fitted))
    with pytest.raises(ConfigError, match="different are reducer: fit it again"):
        built(parts, kind="calibrated", reward=SURE, calibration="curve.json")


def test_another_models_calibration_is_refused(tmp_path: Path) -> None:
    model = Pooling(lambda request: numbers((3.0,)))
    model.identity = Identity("tiny", weights="abc")
    fitted = {
        "reward": options_of(**MODEL).model_dump(mode="json"),
        "models": {"rm": asdict(model.identity)},
        "scale": "raw",
    }
    parts = replace(parts_of({"rm": model}), directory=written(tmp_path, **fitted))
    options: dict[str, Any] = {"kind": "calibrated", "reward": MODEL, "calibration": "curve.json"}
    built(parts, **options)
    for other in (Identity("tiny", weights="abd"), Identity("other", weights="abc"), Identity("other")):
        model.identity = other
        with pytest.raises(ConfigError, match="the model rm"):
            built(parts, **options)
    model.identity = Identity("")  # as while a workflow is checked, without its models
    built(parts, **options)


async def test_a_run_that_is_refused_for_it_leaves_no_directory(tmp_path: Path) -> None:
    model = Pooling(lambda request: numbers((3.0,)))
    model.identity = Identity("tiny")
    curve = {"method": "platt", "slope": 1.0, "intercept": 0.0}
    fitted = {"scale": "raw", "curve": curve, "reward": options_of(**MODEL).model_dump(mode="json")}
    calibration = fitted | {"models": {"rm": asdict(Identity("other"))}}
    node = {
        "kind": "search",
        "algorithm": {"kind": "best_of_n", "n": 2},
        "policy": {"kind": "solver", "model": "m"},
        "reward": {"kind": "calibrated", "reward": MODEL, "calibration": calibration},
    }
    served = {"kind": "vllm_server", "url": "http://localhost:1/v1", "model": "tiny", "runner": "pooling"}
    models = {"m": {"kind": "scripted", "answers": ["2"]}, "rm": served}
    with pytest.raises(ConfigError, match="the model rm"):
        await solve_batch(
            ["1+1"], {"models": models, "nodes": {"a": node}}, backends={"rm": model}, out=tmp_path / "r"
        )
    assert not (tmp_path / "r").exists()


async def test_a_calibration_is_good_for_every_seed(tmp_path: Path) -> None:
    """So votes on a calibrated reward, and members of an ensemble, have it too."""
    noisy = {"kind": "flipped", "share": 0.5, "reward": {"kind": "gated", "reward": {"kind": "calculator"}}}
    fitted = options_of(**noisy, seed=5).model_dump(mode="json")
    parts = replace(PARTS, directory=written(tmp_path, reward=fitted))
    calibrated = {"kind": "calibrated", "reward": noisy, "calibration": "curve.json"}
    reward = built(parts, kind="voted", votes=32, reward=calibrated)
    found = await judgement(reward, solution("1+1=2\n"))
    assert 0 < dict(found.factors)["std"] < 0.5


@pytest.mark.parametrize(("text", "message"), [("{", "JSON"), ("{}", "Field required"), (None, "No such file")])
def test_a_file_that_is_none(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "curve.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        built(replace(PARTS, directory=tmp_path), kind="calibrated", reward=SURE, calibration="curve.json")


def test_a_calibrated_reward_is_not_calibrated_again() -> None:
    once = {"kind": "calibrated", "reward": SURE, "calibration": HALVED}
    with pytest.raises(ValidationError, match="calibrated already"):
        options_of(**{**once, "reward": once})
    options_of(
        **{
            **once,
            "reward": {"kind": "voted", "votes": 2, "reward": {"kind": "flipped", "share": 0.5, "reward": once}},
        }
    )


def test_what_a_table_calls_it() -> None:
    options = options_of(kind="calibrated", reward=SURE, calibration=HALVED)
    assert (options.described, options.scale, options.reducer) == ("rule, calibrated", "probability", None)
