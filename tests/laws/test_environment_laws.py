"""The laws of every world that is found on disk: a task's folder with a file ``world.py``.

Forking does not disturb the parent; a replayed prefix shows the same again; a snapshot is as good as a replay; equal
keys mean equal states; whatever is listed can be done, and nothing that is said to a world raises.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest

from branchwise import tasks
from branchwise.orchestrator.api import load_task
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Environment, Restorable, WorldTask
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.core.world import Observation, World
from branchwise.orchestrator.engine.worlds import Worlds

SMALL = {
    "countdown": ["countdown:world=true,numbers=3,count=2", "countdown:world=true,numbers=5,count=2"],
    "alfworld": ["alfworld:receptacles=5,objects=6,count=6"],
}
"""Settings under which a world is put on trial, where its task's own are not small, or make no world."""

EXTRA = {"alfworld": "alfworld"}
"""Worlds that need another package, and which."""

WALKS, LENGTH = 4, 12
HOSTILE = ["", "\n", "go to nowhere 1", "1+1=3: 2", "{__import__('os')}", "#intro#", "x" * 5000, "\x00\ud800"]

Walk = list[tuple[str, Observation]]


def found() -> list[str]:
    """The tasks that have a world."""
    return sorted(path.parent.name for path in Path(str(tasks.__path__[0])).glob("*/world.py"))


def trials() -> list[object]:
    """Every setting; those whose package is not installed are skipped here, and run by .ci/run."""
    return [
        pytest.param(
            spec,
            id=spec,
            marks=pytest.mark.skipif(name in EXTRA and find_spec(EXTRA[name]) is None, reason=f"extra {name}"),
        )
        for name in found()
        for spec in SMALL.get(name, [name])
    ]


every_world = pytest.mark.parametrize("spec", trials())


def task_of(spec: str) -> WorldTask:
    return cast(WorldTask, load_task(spec, seed=5))


def problems(task: WorldTask) -> list[Problem]:
    return list(task.problems())


@asynccontextmanager
async def episode(task: WorldTask, of: Problem) -> AsyncIterator[tuple[Environment, Observation]]:
    """An environment and what it shows at the start."""
    environment = task.environment(of)
    try:
        yield environment, await environment.start()
    finally:
        await environment.aclose()


async def walk(environment: Environment, here: Observation, rng: random.Random, length: int = LENGTH) -> Walk:
    """Admissible actions at random, with what each shows, until the episode is over."""
    taken: Walk = []
    while not here.done and len(taken) < length:
        action = rng.choice(here.actions or ("",))
        here = await environment.step(action)
        taken.append((action, here))
    return taken


async def walked(task: WorldTask, of: Problem, seed: int, length: int = LENGTH) -> tuple[Observation, Walk]:
    """The start and a walk from it, in an environment of its own."""
    async with episode(task, of) as (environment, start):
        return start, await walk(environment, start, random.Random(seed), length)


@every_world
async def test_it_declares_itself_and_shows_what_can_be_done(spec: str) -> None:
    task = task_of(spec)
    assert isinstance(task.world, World)
    for of in problems(task):
        start, taken = await walked(task, of, 1)
        for seen in (start, *(observation for _, observation in taken)):
            assert seen.text
            assert seen.key
            assert seen.done or (seen.actions and len(set(seen.actions)) == len(seen.actions))


@every_world
async def test_a_replayed_prefix_shows_the_same_again(spec: str) -> None:
    task = task_of(spec)
    for seed, of in enumerate(problems(task)):
        start, taken = await walked(task, of, seed)
        async with episode(task, of) as (environment, again):
            assert again == start
            for action, seen in taken:
                assert await environment.step(action) == seen


@every_world
async def test_a_snapshot_is_as_good_as_a_replay_however_often(spec: str) -> None:
    task, rng = task_of(spec), random.Random(7)
    if not task.world.snapshots:
        pytest.skip("declares no snapshots")
    for of in problems(task):
        async with episode(task, of) as (environment, start):
            restorable = cast(Restorable, environment)
            kept: list[tuple[object, Observation, Walk]] = [(await restorable.snapshot(), start, [])]
            for _ in range(30):
                snapshot, here, way = rng.choice(kept)
                await restorable.restore(snapshot)
                on = await walk(environment, here, rng, rng.randrange(1, 4))
                if on and not on[-1][1].done:
                    kept.append((await restorable.snapshot(), on[-1][1], way + on))
        for _, _, way in rng.sample(kept, min(3, len(kept))):
            async with episode(task, of) as (environment, _):
                assert [await environment.step(action) for action, _ in way] == [seen for _, seen in way]


@every_world
async def test_forking_does_not_disturb_the_parent(spec: str) -> None:
    task, rng = task_of(spec), random.Random(3)
    of = problems(task)[0]
    worlds = Worlds(task.world, partial(task.environment, of), kept=4)
    nodes: list[tuple[Step, ...]] = [()]
    first: dict[tuple[str, ...], Observation] = {}
    for _ in range(40):
        parent = rng.choice(nodes)
        here = await worlds.at(parent)
        action = rng.choice(here.actions or ("",))
        seen = await worlds.step(parent, action, "")
        path = (*(step.action or "" for step in parent), action)
        assert first.setdefault(path, seen) == seen
        if not seen.done:
            nodes.append((*parent, Step(action, seen.text, action=action, reward=seen.reward)))
    await worlds.aclose()


@every_world
async def test_equal_keys_are_equal_states(spec: str) -> None:
    """Whatever way led there, the same can be done, and shows the same."""
    task = task_of(spec)
    for of in problems(task)[:3]:
        actions: dict[str, tuple[str, ...] | None] = {}
        shows: dict[tuple[str, str], tuple[str, str | None]] = {}
        for seed in range(WALKS):
            start, taken = await walked(task, of, seed, 30)
            before = start
            for action, seen in taken:
                assert before.key is not None
                assert actions.setdefault(before.key, before.actions) == before.actions
                assert shows.setdefault((before.key, action), (seen.text, seen.key)) == (seen.text, seen.key)
                before = seen


@every_world
@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: repr(said[:20]))
async def test_nothing_that_is_said_to_a_world_breaks_it(spec: str, said: str) -> None:
    task = task_of(spec)
    async with episode(task, problems(task)[0]) as (environment, start):
        seen = await environment.step(said)
        assert seen.text
        assert seen.done or seen.key == start.key
        assert not seen.reward


@every_world
async def test_what_was_never_started_can_be_closed(spec: str) -> None:
    task = task_of(spec)
    environment = task.environment(problems(task)[0])
    await environment.aclose()


@every_world
async def test_rewards_are_an_outcome(spec: str) -> None:
    """What an episode earns in all is a probability, as the reward kind `world` has it unless told otherwise."""
    task = task_of(spec)
    for of in problems(task)[:3]:
        for seed in range(WALKS):
            _, taken = await walked(task, of, seed)
            assert 0 <= sum(seen.reward for _, seen in taken) <= 1
