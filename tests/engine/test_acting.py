"""Searches that act in a world: stops, rewards, keys, failures, budgets, resume."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.api import solve_batch, solve_iter
from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.core.decisions import Told
from branchwise.orchestrator.core.errors import EnvironmentFailure
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.roles import Environment
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.core.world import Observation, World
from tests.engine.corridor import ACTIONS, Corridor, CorridorTask

WORLDS = {"snapshots": World(snapshots=True, max_steps=6), "replay": World(max_steps=6, max_instances=2)}
BEAM = {"kind": "beam", "width": 3, "expansions": 3, "depth": 8}
EIGHT = {"kind": "best_of_n", "n": 8}
every_world = pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))


def flow(algorithm: dict[str, Any], policy: dict[str, Any] | None = None, **workflow: Any) -> Any:
    policy = policy or {"kind": "chooser"}
    node = {"kind": "search", "algorithm": algorithm, "policy": policy, "reward": {"kind": "world"}}
    models = {"m": {"kind": "scripted", "answers": ["unused"]}} if "model" in policy else {}
    return {"models": models, "nodes": {"search": node}, **workflow}


def told(result: Result) -> list[Candidate]:
    assert result.record is not None
    (search,) = result.record()
    return [c for decision in search.decisions if isinstance(decision, Told) for c in decision.outcome.candidates]


def rows(results: list[Result]) -> Any:
    return [json.dumps([list(r.tree().nodes(data=True)), r.answer], sort_keys=True) for r in results]


@every_world
@pytest.mark.parametrize("algorithm", [BEAM, EIGHT], ids=lambda algorithm: str(algorithm["kind"]))
async def test_steps_carry_what_was_done_seen_and_earned(world: World, algorithm: dict[str, Any]) -> None:
    task = CorridorTask(world, count=3)
    results = await solve_batch(task, flow(algorithm), seed=1)
    assert task.counts["live"] == 0
    for goal, result in enumerate(results, start=1):
        for candidate in told(result):
            steps, room = candidate.trajectory.steps, 0
            for step in steps:
                room += {"left": -1, "right": 1}.get(step.action or "", 0)
                assert (step.observation, step.reward) == (f"room {room}", float(room == goal))
            assert (candidate.key, candidate.reward) == (str(room), float(room == goal))
            assert candidate.value == float(room == goal)
            over = StopReason.MAX_DEPTH if len(steps) == world.max_steps else None
            assert candidate.trajectory.stop == (StopReason.ENVIRONMENT_DONE if room == goal else over)
        assert result.grade is not None
        assert bool(result.grade.correct) == (result.answer is not None)
    assert results[0].answer is not None


async def test_the_same_tree_whether_forked_by_snapshot_or_by_replay() -> None:
    trees = [rows(await solve_batch(CorridorTask(world, 3), flow(BEAM), seed=2)) for world in WORLDS.values()]
    assert trees[0] == trees[1]


@every_world
async def test_children_of_a_chooser_differ_until_all_actions_are_used(world: World) -> None:
    four = {"kind": "beam", "width": 1, "expansions": 4, "depth": 2}
    (result,) = await solve_batch(CorridorTask(world), flow(four), seed=3)
    actions = [candidate.trajectory.steps[0].action for candidate in told(result)[:4]]
    assert set(actions[:3]) == set(ACTIONS)
    assert actions[3] == actions[0]


@every_world
async def test_a_world_that_breaks_costs_one_candidate(world: World) -> None:
    (result,) = await solve_batch(CorridorTask(world, breaks="wait"), flow(BEAM), seed=1)
    assert result.answer is not None
    assert {failure.boundary for failure in result.failures} == {"environment"}
    lost = [candidate for candidate in told(result) if candidate.failure is not None]
    assert len(lost) == len(result.failures)
    assert all(candidate.judgement is None and not candidate.done for candidate in lost)


@every_world
async def test_a_run_that_was_left_goes_on_to_the_same_trees(world: World, tmp_path: Path) -> None:
    expected = await solve_batch(CorridorTask(world, 4), flow(BEAM), seed=5)
    results = solve_iter(CorridorTask(world, 4), flow(BEAM), seed=5, out=tmp_path, concurrency=2)
    first = await results.__anext__()
    await results.aclose()
    again = await solve_batch(CorridorTask(world, 4), flow(BEAM), seed=5, out=tmp_path)
    assert rows(again) == rows(expected)
    (found,) = [result for result in again if result.problem_id == first.problem_id]
    assert found.trajectory == first.trajectory


def acts(request: Request, seed: int) -> str:
    """Goes right, and says why; the prompt must show where it stands."""
    said = request.messages[-1].text
    assert "Go to room" in said
    assert "room 0" in said
    assert "left, right, wait" in said
    room = said.rpartition("room ")[2].split()[0]
    return f"I am in room {room}, so I go on.\nAction: RIGHT"


ACTOR = {"kind": "actor", "model": "m", "max_tokens": 30, "thoughts": True}


@every_world
async def test_an_actor_sees_the_world_and_acts_until_it_is_over(world: World) -> None:
    results = await solve_batch(
        CorridorTask(world, 7), flow({"kind": "greedy"}, ACTOR), seed=1, backends={"m": ScriptedBackend(acts)}
    )
    assert [result.answer for result in results] == [" ".join(["right"] * n) for n in range(1, 7)] + [None]
    assert results[2].trajectory is not None
    assert results[2].trajectory.text == "".join(f"I am in room {n}, so I go on.\nAction: RIGHT\n" for n in range(3))
    assert results[6].stop is not StopReason.ANSWERED
    assert [result.usage.calls for result in results] == [1, 2, 3, 4, 5, 6, 6]


@every_world
async def test_a_reply_that_is_no_action_is_the_end_of_it(world: World) -> None:
    mute = ScriptedBackend(lambda request, seed: "Action:")
    (result,) = await solve_batch(CorridorTask(world), flow({"kind": "greedy"}, ACTOR), backends={"m": mute})
    assert [candidate.trajectory.stop for candidate in told(result)] == [StopReason.BAD_FORMAT]


@pytest.mark.parametrize("prompt_tokens", [0, 2048])
async def test_a_hard_budget_holds_even_where_a_world_shows_more_than_it_declared(prompt_tokens: int) -> None:
    world = World(snapshots=True, max_steps=6, prompt_tokens=prompt_tokens)
    limits = {"budget": {"problem": {"tokens": 20_000}}}
    results = await solve_batch(
        CorridorTask(world, 7), flow(EIGHT, ACTOR, **limits), backends={"m": ScriptedBackend(acts)}
    )
    assert all(result.usage.tokens <= 20_000 for result in results)
    assert {result.stop for result in results} == {StopReason.BUDGET_TOKENS}
    assert any(result.answer for result in results) == bool(prompt_tokens)


def waits(request: Request, seed: int) -> str:
    """Stays where it is, so that nothing but a limit ends it."""
    return "Action: wait"


@every_world
@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"run": {"calls": 3}}, StopReason.BUDGET_CALLS),
        ({"mode": "soft", "run": {"tokens": 1}}, StopReason.BUDGET_TOKENS),
    ],
)
async def test_steps_that_were_done_before_a_budget_ended_the_draw_are_kept(
    world: World, budget: dict[str, Any], reason: StopReason, tmp_path: Path
) -> None:
    task, plan = CorridorTask(world), flow({"kind": "best_of_n", "n": 1}, ACTOR, budget=budget)
    backend = ScriptedBackend(waits)
    (result,) = await solve_batch(task, plan, out=tmp_path, backends={"m": backend})
    (candidate,) = told(result)
    assert (result.stop, candidate.trajectory.stop) == (reason, reason)
    assert [step.observation for step in candidate.trajectory.steps] == ["room 0"] * backend.calls
    assert backend.calls == task.counts["step"] > 0
    assert (candidate.answer, candidate.judgement, candidate.done) == (None, None, False)
    assert result.usage.calls == backend.calls
    again = CorridorTask(world)
    assert rows(await solve_batch(again, plan, out=tmp_path, backends={"m": backend})) == rows([result])


@every_world
async def test_worlds_that_can_not_be_closed_cost_no_problem(world: World) -> None:
    class Stuck(Corridor):
        """A corridor that is gone before it can be closed."""

        async def aclose(self) -> None:
            raise EnvironmentFailure("gone already")

    class StuckTask(CorridorTask):
        """Its task."""

        def environment(self, of: Problem) -> Environment:
            return Stuck(1, self.counts)

    results = await solve_batch(
        StuckTask(world, 3), flow({"kind": "greedy"}, ACTOR), backends={"m": ScriptedBackend(acts)}
    )
    assert [(result.answer, result.failures) for result in results] == [("right", ())] * 3


async def test_a_world_that_lists_no_actions_has_nothing_to_choose_from() -> None:
    class Silent(Corridor):
        """A corridor that lists no actions."""

        def _seen(self) -> Observation:
            return replace(super()._seen(), actions=None)

    class SilentTask(CorridorTask):
        """Its task."""

        def environment(self, of: Problem) -> Environment:
            return Silent(1, self.counts)

    results = await solve_batch(SilentTask(WORLDS["replay"]), flow(EIGHT))
    assert {failure.boundary for failure in results[0].failures} == {"format"}
