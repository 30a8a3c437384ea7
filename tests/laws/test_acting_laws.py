"""The laws of every search algorithm in a world: the same trees however states are forked, within the bound."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.api import solve_batch
from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.predict import predict
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.worlds import each_algorithm
from branchwise.sandboxes.calculator import evaluate
from tests.engine.corridor import ACTIONS, CorridorTask
from tests.laws.toy import all_settings

PROBLEMS = 2
SNAPSHOTS, REPLAY = World(snapshots=True, max_steps=5), World(max_steps=5, max_instances=2)


def that_act() -> list[Options]:
    """Every algorithm under its small settings, but for those that revise: a world refuses them."""
    return [one for one in all_settings() if not any(getattr(each, "revises", False) for each in each_algorithm(one))]


every_search = pytest.mark.parametrize("options", that_act(), ids=lambda options: repr(options)[:60])


def moves(request: Request, seed: int) -> str:
    """Some admissible action."""
    return f"Why not?\nAction: {random.Random(seed).choice(ACTIONS)}"


def workflow(options: Options) -> dict[str, Any]:
    """A search by a model that acts, and by a second one where the algorithm chooses between two."""
    actor = {"kind": "actor", "model": "m", "max_tokens": 30}
    search = {"kind": "search", "algorithm": options.model_dump(), "policy": actor, "reward": {"kind": "world"}}
    search |= {"policies": {"other": actor}} if "other" in (getattr(options, "policies", None) or ()) else {}
    return {"models": {"m": {"kind": "scripted", "answers": ["unused"]}}, "nodes": {"search": search}}


async def acted(options: Options, world: World) -> list[Result]:
    """Two corridors."""
    task = CorridorTask(world, PROBLEMS)
    results = await solve_batch(task, workflow(options), seed=4, backends={"m": ScriptedBackend(moves)})
    assert task.counts["live"] == 0
    assert not any(result.failures for result in results)
    return results


def shown(results: list[Result]) -> list[str]:
    """The trees, and what came of them."""
    return [json.dumps([list(each.tree().nodes(data=True)), each.answer], sort_keys=True) for each in results]


@every_search
async def test_the_same_trees_by_snapshot_and_by_replay(options: Options) -> None:
    by_snapshot = await acted(options, SNAPSHOTS)
    assert shown(by_snapshot) == shown(await acted(options, REPLAY))
    for result in by_snapshot:
        assert result.answer is None or (result.grade is not None and result.grade.correct == 1.0)


@every_search
async def test_no_more_is_used_than_was_predicted(options: Options) -> None:
    task, loaded = CorridorTask(SNAPSHOTS, PROBLEMS), read_workflow(workflow(options), {}, Path())
    results = await acted(options, SNAPSHOTS)
    for of, result in zip(task.problems(), results, strict=True):
        most = predict(loaded, of, task.answer, evaluate, task.world).per_problem["policy"]
        used = result.usage
        assert used.calls <= most.calls
        assert used.completion_tokens <= most.completion_tokens
        assert used.prompt_tokens <= most.prompt_tokens
