"""Rewards that read what models would write, on real servers: the log ratio of two, and the label of one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import accumulate, pairwise
from typing import Any

import pytest

from branchwise.orchestrator.backends.vllm_server import Options, VLLMServer, build
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards import implicit_prm, label_token
from tests.vllm.server import Server
from tests.vllm.test_pooling import SOLUTIONS, TOLERANCE, WHOLE, reference

TRAJECTORIES = [Trajectory(problem(text), tuple(Step(f"{step}\n") for step in steps)) for text, steps in SOLUTIONS]


@pytest.fixture
async def models(policy: Server, labels: Server) -> AsyncIterator[dict[str, VLLMServer]]:
    made = {name: build(Options(url=server.url, model=server.name))
            for name, server in {"policy": policy, "twin": policy, "labels": labels}.items()}  # fmt: skip
    yield made
    for model in made.values():
        await model.aclose()


async def step_rewards(models: dict[str, VLLMServer], against: str) -> list[tuple[float, ...]]:
    """The policy's step rewards against another model."""
    options = implicit_prm.Options(
        model="policy", reference=against, style="completion", coefficient=1.0, reducer="sum"
    )
    reward = implicit_prm.build(options, Parts(models.__getitem__, lambda trajectory: None))
    judgements = await reward.score(TRAJECTORIES)
    assert [judgement.failure for judgement in judgements] == [None] * len(judgements)
    return [judgement.step_values for judgement in judgements]


async def test_log_ratios_of_two_models_are_transformers(
    models: dict[str, VLLMServer], policy: Server, labels: Server, note: list[str]
) -> None:
    """The tokens are characters, so that a step's are where its characters stand."""
    expected = [
        [sum(ours[begin - 1 : end - 1]) - sum(theirs[begin - 1 : end - 1]) for begin, end in pairwise(borders)]
        for ours, theirs, borders in zip(
            reference(policy, WHOLE), reference(labels, WHOLE), map(borders_of, TRAJECTORIES), strict=True
        )
    ]
    found = await step_rewards(models, "labels")
    flat = [value for row in found for value in row]
    wanted = [value for row in expected for value in row]
    worst = max(abs(got - want) for got, want in zip(flat, wanted, strict=True))
    note.append(f"implicit step rewards against transformers: at most {worst:.1e} nats apart over {len(flat)} steps")
    assert flat == pytest.approx(wanted, abs=10 * TOLERANCE)  # sums of some ten tokens
    assert max(map(abs, flat)) > 1


def borders_of(trajectory: Trajectory) -> list[int]:
    """Where its steps begin and end in the whole text."""
    lengths = (len(step.text) for step in trajectory.steps)
    return list(accumulate(lengths, initial=len(trajectory.problem.text) + 1))


async def test_a_model_against_itself_says_nothing(models: dict[str, VLLMServer]) -> None:
    for row in await step_rewards(models, "twin"):
        assert row == pytest.approx([0.0] * len(row), abs=TOLERANCE)


async def values_of(models: dict[str, VLLMServer], **written: Any) -> list[float]:
    """The label's chance after the last step."""
    options = label_token.Options(**{"model": "labels", "reducer": "last", **written})
    reward = label_token.build(options, Parts(models.__getitem__, lambda trajectory: None))
    values = [judgement.value for judgement in await reward.score(TRAJECTORIES)]
    return [value for value in values if value is not None]


async def test_labels_tell_right_from_wrong(models: dict[str, VLLMServer]) -> None:
    values = await values_of(models)
    assert min(values[1::2]) > max(values[::2])  # every second solution is right to its end


@pytest.mark.parametrize("asked", [{}, {"model": "policy", "style": "chat"}], ids=["completion", "chat"])
async def test_generative_scoring_tells_what_log_probabilities_tell(
    models: dict[str, VLLMServer], asked: dict[str, str], note: list[str]
) -> None:
    likely = await values_of(models, alternatives=18, **asked)
    exact = await values_of(models, exact=True, **asked)
    worst = max(abs(one - other) for one, other in zip(likely, exact, strict=True))
    note.append(f"/generative_scoring against log-probabilities: chances at most {worst:.1e} apart {asked or ''}")
    assert len(exact) == len(TRAJECTORIES)
    assert exact == pytest.approx(likely, abs=TOLERANCE)
