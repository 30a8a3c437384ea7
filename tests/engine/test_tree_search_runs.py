"""Monte Carlo tree search in whole runs: one tree whatever arrives first, its record, its answer."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from branchwise.orchestrator.api import solve_batch
from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.core.record import replayed as replayed_from
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.search.mcts import MCTS, Options, build
from tests.engine.flows import flow, script
from tests.search.tree_nodes import nodes

PROBLEMS = [f"problem {number}" for number in range(4)]
SETTINGS: list[dict[str, Any]] = [
    {"iterations": 12, "children": 3, "depth": 5},
    {"iterations": 24, "children": 3, "batch": 1, "in_flight": 8, "depth": 5, "recommendation": "visits"},
    {"iterations": 8, "children": 2, "evaluate": "leaf", "selection": "puct_best", "rollouts": 1, "depth": 5},
]


def noisy() -> ScriptedBackend:
    noise = random.Random()
    return ScriptedBackend(script, delay=lambda request, seed: noise.random() * 0.01)


def replayed(result: Result, settings: dict[str, Any]) -> MCTS:
    """The search at its end, from the decisions on record."""
    assert result.record is not None
    (search,) = result.record()
    return cast(MCTS, replayed_from(build(Options(**settings), search.root, 0), search.decisions))


@pytest.mark.parametrize("settings", SETTINGS, ids=repr)
async def test_one_seed_gives_one_tree_and_its_statistics_are_on_record(settings: dict[str, Any]) -> None:
    workflow = flow({"kind": "mcts", **settings})
    runs = [await solve_batch(PROBLEMS, workflow, seed=5, backends={"m": noisy()}) for _ in range(3)]
    trees = [[nodes(replayed(result, settings)) for result in run] for run in runs]
    assert trees[0] == trees[1] == trees[2]
    assert all(tree[0].visits > settings["iterations"] // 2 for tree in trees[0])


@pytest.mark.parametrize("settings", SETTINGS, ids=repr)
async def test_the_answer_is_the_one_that_the_tree_recommends(settings: dict[str, Any]) -> None:
    results = await solve_batch(PROBLEMS, flow({"kind": "mcts", **settings}), seed=7, backends={"m": noisy()})
    for result in results:
        recommended = replayed(result, settings).recommended()
        assert recommended is not None
        assert result.trajectory == recommended.trajectory


async def test_arrival_order_keeps_every_expansion_too() -> None:
    settings = SETTINGS[1]
    workflow = flow({"kind": "mcts", **settings}, commit="arrival")
    for result in await solve_batch(PROBLEMS, workflow, seed=5, backends={"m": noisy()}):
        assert replayed(result, settings).state.iterations == settings["iterations"]
