"""Verdicts turned round: how many, that each is always the same one, and that steps are judged once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Options, Parts, needs_of_part, source_of
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards import flipped
from branchwise.orchestrator.rewards.reducers import reduced
from branchwise.orchestrator.workflow import spec
from branchwise.sandboxes.calculator import evaluate

CHAIN = "47+38*3-95"
LINES = ("47+38=85\n", "85*3=255\n", "255-95=160")
CALCULATOR = {"kind": "calculator", "reducer": "product"}
RULE = {"kind": "rule", "callable": f"{__name__}:always"}


def always(trajectory: Trajectory) -> float:
    return 0.9


def no_model(name: str) -> Backend:
    raise AssertionError(name)


def options_of(reward: dict[str, Any], share: float, seed: int = 0) -> flipped.Options[Any]:
    adapter: TypeAdapter[Options] = TypeAdapter(spec.Reward)
    found = adapter.validate_python({"kind": "flipped", "reward": reward, "share": share, "seed": seed})
    assert isinstance(found, flipped.Options)
    return found


def reward(of: dict[str, Any], share: float, seed: int = 0) -> flipped.Flipped:
    return flipped.build(options_of(of, share, seed), Parts(no_model, lambda _: None, evaluate=evaluate))


def chain(lines: Sequence[str] = LINES, name: str = "a") -> Trajectory:
    return Trajectory(problem(CHAIN, name), tuple(map(Step, lines)))


async def judged(by: flipped.Flipped, trajectory: Trajectory) -> Judgement:
    (judgement,) = await by.score([trajectory])
    return judgement


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
async def test_so_many_verdicts_are_flipped(share: float) -> None:
    by, count = reward(CALCULATOR, share), 2000
    judgements = await by.score([chain(name=str(number)) for number in range(count)])
    wrong = sum(value == 0 for each in judgements for value in each.step_values)
    verdicts = len(LINES) * count
    assert abs(wrong / verdicts - share) <= 4 * (share * (1 - share) / verdicts) ** 0.5


async def test_a_value_without_steps_is_one_verdict() -> None:
    values = [(await judged(reward(RULE, share), chain())).value for share in (0.0, 1.0)]
    assert values == [0.9, pytest.approx(0.1)]


async def test_step_values_are_reduced_anew() -> None:
    by = reward(CALCULATOR, 0.3)
    for name in map(str, range(50)):
        judgement = await judged(by, chain(name=name))
        assert judgement.value == reduced("product", judgement.step_values)


async def test_a_step_has_the_same_verdict_in_every_tree() -> None:
    by = reward(CALCULATOR, 0.5)
    for name in map(str, range(50)):
        whole = await judged(by, chain(name=name))
        for length in range(1, len(LINES)):
            assert (await judged(by, chain(LINES[:length], name))).step_values == whole.step_values[:length]
        elsewhere = replace(chain(name=name), lineage=(3, 1, 4))
        assert await judged(by, elsewhere) == whole


class Keeping:
    """Judges steps without a score as 0.3, and keeps what the others have."""

    source = "learned"

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        found = [tuple(0.3 if s.score is None else s.score for s in each.steps) for each in trajectories]
        return [Judgement(min(values), "probability", "learned", values) for values in found]


async def test_a_step_that_has_its_score_keeps_it() -> None:
    by = flipped.Flipped(options_of({"kind": "label_token", "model": "m", "reducer": "min"}, 0.5), Keeping(), 1)  # type: ignore[arg-type]
    for name in map(str, range(50)):
        trajectory = chain((), name)
        for line in LINES:
            trajectory = replace(trajectory, steps=(*trajectory.steps, Step(line)))
            values = (await judged(by, trajectory)).step_values
            scored = zip(trajectory.steps, values, strict=True)
            assert all(step.score in (None, value) for step, value in scored)
            assert set(values) <= {0.3, 0.7}
            scored = zip(trajectory.steps, values, strict=True)
            trajectory = replace(trajectory, steps=tuple(replace(step, score=value) for step, value in scored))


async def test_another_seed_or_problem_flips_others() -> None:
    by, other = reward(CALCULATOR, 0.5), reward(CALCULATOR, 0.5, seed=1)
    problems = [chain(name=str(number)) for number in range(50)]
    ours, theirs = await by.score(problems), await other.score(problems)
    assert ours != theirs
    assert len({judgement.step_values for judgement in ours}) == 2 ** len(LINES)


async def test_failures_stay_failures() -> None:
    judgement = await judged(reward(CALCULATOR, 1.0), chain(()))
    assert judgement.failure is not None


def test_only_probabilities() -> None:
    with pytest.raises(ValidationError, match="only probabilities are flipped"):
        options_of({**RULE, "scale": "raw"}, 0.1)


@pytest.mark.parametrize("between", [[], ["gated"], ["gated", "gated"]])
async def test_one_around_another_flips_by_a_chance_of_its_own(between: list[str]) -> None:
    """Verdicts that are flipped with p and then with q are wrong with p + q - 2pq, not with their difference."""
    inner: dict[str, Any] = {"kind": "flipped", "share": 0.3, "reward": CALCULATOR}
    for kind in between:
        inner = {"kind": kind, "reward": inner}
    count, expected = 2000, 0.3 + 0.4 - 2 * 0.3 * 0.4
    judgements = await reward(inner, 0.4).score([chain(name=str(number)) for number in range(count)])
    verdicts = len(LINES) * count
    wrong = sum(value == 0 for each in judgements for value in each.step_values)
    assert abs(wrong / verdicts - expected) <= 4 * (expected * (1 - expected) / verdicts) ** 0.5


def test_whether_step_scores_can_be_flipped_is_known() -> None:
    assert options_of(CALCULATOR, 0.1).scores_steps
    assert not options_of({"kind": "think_prm", "model": "m"}, 0.1).scores_steps
    assert [options_of(CALCULATOR, share).sampled for share in (0.0, 0.5, 1.0)] == [False, True, False]


def test_it_says_of_the_other_reward_what_a_workflow_asks() -> None:
    options = options_of({"kind": "label_token", "model": "verifier", "reducer": "last"}, 0.1)
    assert (source_of(options), options.reward.model) == ("learned", "verifier")
    assert options.described == "label_token, 10 % flipped"
    assert needs_of_part(options) == {"verifier": frozenset({"completion", "logprobs"})}
    assert needs_of_part(options_of(CALCULATOR, 0.1)) == {}
