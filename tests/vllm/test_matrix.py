"""Trained classifiers on real servers steer every search: turned round, they find fewer right answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rewards.matrix import ALGORITHMS
from tests.rewards.trained import PROBLEMS, right, turned
from tests.vllm.server import Server

OUTCOME = {"kind": "outcome_model", "model": "judge", "activation": "sigmoid"}
PROCESS = {"kind": "process_model", "model": "judge", "step_tag": "#", "style": "completion", "reducer": "min"}


def on(server: Server, **options: Any) -> dict[str, Any]:
    return {"kind": "vllm_server", "url": server.url, "model": server.name, **options}


def steered(algorithm: str, reward: dict[str, Any], policy: Server, judge: Server, note: list[str]) -> None:
    models = on(policy), on(judge, runner="pooling")
    by_it, against_it = (right(algorithm, each, *models) for each in (reward, turned(reward)))
    note.append(f"{algorithm} by {reward['kind']}: {by_it} of {PROBLEMS} right; by it turned round, {against_it}")
    assert by_it > against_it


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_outcome_model_changes_the_winner(
    algorithm: str, policy: Server, outcome: Server, note: list[str]
) -> None:
    steered(algorithm, OUTCOME, policy, outcome, note)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_process_model_changes_the_winner(algorithm: str, policy: Server, process: Server, note: list[str]) -> None:
    steered(algorithm, PROCESS, policy, process, note)
