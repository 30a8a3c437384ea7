"""What does not go together with a world, or with there being none, is refused before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError, load_task, solve_batch_sync
from branchwise.orchestrator.cli import main
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.validate import validate
from tests.engine.corridor import CorridorTask

TEXT = load_task("countdown:numbers=3,count=1")
MODELS = {"m": {"kind": "scripted", "answers": ["1+2=3: 3"]}}
SOLVER = {"kind": "solver", "model": "m", "step_separator": "\n"}
FORKED = [World(snapshots=True), World(), World(repeatable=False, snapshots=True)]
ONCE = World(repeatable=False)


def check(task: Any, **node: Any) -> None:
    search = {"kind": "search", "algorithm": {"kind": "best_of_n"}, "policy": SOLVER, **node}
    validate(read_workflow({"models": MODELS, "nodes": {"answer": search}}, {}, Path()), task)


@pytest.mark.parametrize(
    ("place", "node"),
    [
        ("policy: chooser", {"policy": {"kind": "chooser"}}),
        ("policy: actor", {"policy": {"kind": "actor", "model": "m"}}),
        ("reward: world", {"reward": {"kind": "world"}}),
        (
            "algorithm: mcts",
            {"algorithm": {"kind": "mcts", "transpositions": True}, "reward": {"kind": "calculator"}},
        ),
        (
            "policies.other: chooser",
            {
                "algorithm": {"kind": "ab_mcts", "policies": ["policy", "other"]},
                "policies": {"other": {"kind": "chooser"}},
                "reward": {"kind": "calculator"},
            },
        ),
    ],
)
def test_what_wants_a_world_is_refused_where_there_is_none(place: str, node: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"nodes\.answer\.{place}, as set here, is for a task with a world"):
        check(TEXT, **node)


@pytest.mark.parametrize("world", FORKED)
def test_where_there_is_one_it_is_welcome(world: World) -> None:
    algorithm = {"kind": "mcts", "transpositions": True}
    check(CorridorTask(world), algorithm=algorithm, policy={"kind": "chooser"}, reward={"kind": "world"})


def test_a_workflow_by_itself_may_be_for_either() -> None:
    check(None, policy={"kind": "chooser"}, reward={"kind": "world"})


def test_in_a_world_every_policy_writes_single_steps() -> None:
    """Whatever the algorithm: a whole answer is an episode, one action after the other."""
    refiner = {"kind": "refiner", "model": "m"}
    check(TEXT, policy=refiner)
    with pytest.raises(ConfigError, match="'refiner' writes whole answers only"):
        check(CorridorTask(FORKED[0]), policy=refiner)
    check(CorridorTask(FORKED[0]))


def test_what_was_done_is_not_revised() -> None:
    reward = {"kind": "world"}
    with pytest.raises(ConfigError, match="ab_mcts, as set here, revises answers"):
        check(CorridorTask(FORKED[0]), algorithm={"kind": "ab_mcts"}, reward=reward)
    check(CorridorTask(FORKED[0]), algorithm={"kind": "ab_mcts", "over": "steps"}, reward=reward)


def test_a_world_that_cannot_be_forked_is_for_whole_episodes() -> None:
    reward = {"kind": "world"}
    check(CorridorTask(ONCE), reward=reward)
    for algorithm in ({"kind": "beam"}, {"kind": "mcts"}):
        with pytest.raises(ConfigError, match=rf"{algorithm['kind']} goes on from states that it has left"):
            check(CorridorTask(ONCE), algorithm=algorithm, reward=reward)


def test_algorithms_inside_another_are_looked_at_too() -> None:
    inner = {"kind": "mcts", "transpositions": True}
    composed = {"kind": "by_difficulty", "bins": [{"algorithm": inner}]}
    with pytest.raises(ConfigError, match=r"algorithm: mcts, as set here, is for a task with a world"):
        check(TEXT, algorithm=composed, reward={"kind": "calculator"})
    check(CorridorTask(FORKED[0]), algorithm=composed, reward={"kind": "world"})


def test_an_agent_node_never_acts() -> None:
    with pytest.raises(ConfigError, match=r"nodes\.say\.agent: chooser acts in a world: make it the policy"):
        validate(read_workflow({"nodes": {"say": {"kind": "agent", "agent": {"kind": "chooser"}}}}, {}, Path()))


def test_it_is_refused_by_check_and_before_a_run_has_a_directory(tmp_path: Path, capsys: Any) -> None:
    search = {"kind": "search", "algorithm": {"kind": "best_of_n"}, "policy": {"kind": "chooser"}}
    with pytest.raises(ConfigError, match="this one has none"):
        solve_batch_sync(["plain text"], {"nodes": {"answer": search}}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "moves.yaml").write_text(
        "nodes:\n  answer:\n    kind: search\n    algorithm: {kind: best_of_n}\n    policy: {kind: chooser}\n"
    )
    assert main(["check", str(tmp_path / "moves.yaml"), "--tasks", "countdown:numbers=3"], {}) == 2
    assert "moves.yaml:5: nodes.answer.policy: chooser" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "moves.yaml"), "--tasks", "countdown:numbers=3,world=true"], {}) == 0
