"""A function of one's own as a reward model."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards.rule import Options, build


def no_model(name: str) -> Backend:
    raise AssertionError(f"the rule asked for the model {name}")


PARTS = Parts(no_model, lambda trajectory: None)
RULE = f"{__name__}:by_length"


def by_length(trajectory: Trajectory) -> Any:
    """Looks its verdict up in the text, so that a test can choose it."""
    verdicts: Mapping[str, Any] = {
        "half": 0.5,
        "true": True,
        "factors": {"words": 1.0, "length": 0.5},
        "nan": math.nan,
        "infinite": math.inf,
        "two": 2,
        "none": None,
        "text": "1",
        "no factors": {},
        "bad factor": {"words": 1.0, "length": math.nan},
    }
    return verdicts[trajectory.text]


async def waits(trajectory: Trajectory) -> float:
    return 1.0


async def judge(*texts: str, **options: Any) -> list[Judgement]:
    reward = build(Options(callable=RULE, **options), PARTS)
    return await reward.score([Trajectory(problem("?"), (Step(text),)) for text in texts])


async def test_numbers_are_values() -> None:
    values = [(each.value, each.source, each.scale) for each in await judge("half", "true")]
    assert values == [(0.5, "rule", "probability"), (1.0, "rule", "probability")]


async def test_factors_are_kept_and_reduced() -> None:
    [mean], [least] = await judge("factors"), await judge("factors", reducer="min")
    assert mean.factors == (("words", 1.0), ("length", 0.5))
    assert (mean.value, least.value) == (0.75, 0.5)


async def test_the_scale_is_declared_and_held() -> None:
    [refused], [raw] = await judge("two"), await judge("two", scale="raw")
    assert refused.failure is not None
    assert (raw.value, raw.scale) == (2.0, "raw")


async def test_bad_verdicts_and_exceptions_are_failures_of_one_trajectory() -> None:
    bad = ["nan", "infinite", "none", "text", "no factors", "bad factor", "raises KeyError"]
    judgements = await judge("half", *bad, "half", scale="raw")
    assert [each.failure is None for each in judgements] == [True] + [False] * len(bad) + [True]
    assert judgements[-2].failure is not None
    assert "KeyError" in judgements[-2].failure.message
    assert {each.source for each in judgements} == {"rule"}


async def test_an_oracle_says_so() -> None:
    [right, failed] = await judge("half", "nan", source="oracle")
    assert (right.source, failed.source) == ("oracle", "oracle")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("no_such_module_anywhere:f", "no_such_module_anywhere"),
        (f"{__name__}:nobody", "no function nobody"),
        (f"{__name__}:PARTS", "no function PARTS"),
        (f"{__name__}:waits", "coroutine"),
    ],
)
def test_a_wrong_entry_is_refused_before_anything_runs(entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(Options(callable=entry), PARTS)


@pytest.mark.parametrize("entry", ["", "json", "json:", ":loads", "json:loads()", "../x:y"])
def test_an_entry_has_a_form(entry: str) -> None:
    with pytest.raises(ValidationError):
        Options(callable=entry)
