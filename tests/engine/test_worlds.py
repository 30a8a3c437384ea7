"""Worlds: forks by snapshot and by replay, bounds on what lives, worlds that break or must not be repeated."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from functools import partial
from typing import cast

import pytest

from branchwise.orchestrator.core.errors import EnvironmentFailure
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.core.world import Observation, World
from branchwise.orchestrator.engine.worlds import Worlds
from branchwise.orchestrator.journal.effects import Effects
from branchwise.orchestrator.journal.store import Journal
from tests.engine.corridor import ACTIONS, Corridor

SNAPSHOTS, REPLAY = World(snapshots=True), World(max_instances=2)
Steps = tuple[Step, ...]


def worlds(world: World, counts: Counter[str], kept: int = 1024, breaks: str = "") -> Worlds:
    return Worlds(world, partial(Corridor, 9, counts, breaks), kept=kept)


async def grown(of: Worlds, steps: Steps, action: str) -> Steps:
    seen = await of.step(steps, action, "")
    return (*steps, Step(f"{action}\n", seen.text, action=action, reward=seen.reward))


def rooms(steps: Steps) -> list[int]:
    """Where the actions of these steps lead, by arithmetic."""
    moves = [{"left": -1, "right": 1}.get(step.action or "", 0) for step in steps]
    return [sum(moves[: n + 1]) for n in range(len(moves))]


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY])
@pytest.mark.parametrize("kept", [1, 3, 1024])
async def test_any_node_can_be_gone_on_with_in_any_order(world: World, kept: int) -> None:
    counts, rng = Counter[str](), random.Random(kept)
    of = worlds(world, counts, kept)
    nodes: list[Steps] = [()]
    for _ in range(60):
        node = await grown(of, rng.choice(nodes), rng.choice(ACTIONS))
        assert [step.observation for step in node] == [f"room {room}" for room in rooms(node)]
        nodes.append(node)
        again = rng.choice(nodes)
        here = await of.at(again)
        assert here.key == str(([0, *rooms(again)])[-1])
        assert here.actions == ACTIONS
    await of.aclose()
    assert counts["live"] == 0
    assert counts["most"] <= (1 if world.snapshots else world.max_instances)


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY])
async def test_many_at_once_disturb_nobody(world: World) -> None:
    counts = Counter[str]()
    of = worlds(world, counts)

    async def walk(seed: int) -> Steps:
        rng, steps = random.Random(seed), Steps()
        for _ in range(6):
            steps = await grown(of, steps, rng.choice(ACTIONS))
        return steps

    for steps in await asyncio.gather(*map(walk, range(16))):
        assert [step.observation for step in steps] == [f"room {room}" for room in rooms(steps)]
    await of.aclose()
    assert counts["live"] == 0
    assert counts["most"] <= (1 if world.snapshots else 2)


async def test_an_instance_goes_on_from_where_it_stands() -> None:
    counts, steps = Counter[str](), Steps()
    of = worlds(REPLAY, counts)
    for _ in range(5):
        steps = await grown(of, steps, "right")
    assert (counts["start"], counts["step"]) == (1, 5)
    await grown(of, steps[:2], "left")
    assert (counts["start"], counts["step"]) == (2, 8)


async def test_a_fork_with_snapshots_starts_once_and_replays_nothing() -> None:
    counts, steps = Counter[str](), Steps()
    of = worlds(SNAPSHOTS, counts)
    for _ in range(5):
        steps = await grown(of, steps, "right")
    for n in range(5):
        await grown(of, steps[:n], "left")
    assert (counts["start"], counts["step"], counts["restore"]) == (1, 10, 5)


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY, World(repeatable=False)])
async def test_what_an_action_brings_is_found_out_once_where_it_is_always_the_same(world: World) -> None:
    counts = Counter[str]()
    of = worlds(world, counts)
    for _ in range(3):
        assert (await of.step((), "right", "")).text == "room 1"
    assert counts["step"] == (1 if world.repeatable else 3)


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY])
async def test_steps_from_a_journal_are_brought_back_when_they_are_gone_on_with(world: World) -> None:
    counts, steps = Counter[str](), Steps()
    before = worlds(world, Counter())
    for action in ("right", "right", "left"):
        steps = await grown(before, steps, action)
    after = worlds(world, counts)
    assert not counts
    assert (await after.step(steps, "wait", "")).text == "room 1"
    assert (counts["start"], counts["step"]) == (1, 4)


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY])
async def test_a_world_that_shows_something_else_on_replay_has_broken(world: World) -> None:
    recorded = (Step("right\n", "room 7", action="right"),)
    with pytest.raises(EnvironmentFailure, match="not as before"):
        await worlds(world, Counter()).step(recorded, "wait", "")


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY])
async def test_what_breaks_costs_one_step(world: World) -> None:
    counts = Counter[str]()
    of = worlds(world, counts, breaks="left")
    steps = await grown(of, (), "right")
    for _ in range(3):
        with pytest.raises(EnvironmentFailure, match="left breaks it"):
            await of.step(steps, "left", "")
        assert (await of.step(steps, "right", "")).text == "room 2"
    await of.aclose()
    assert counts["live"] == 0


@pytest.mark.parametrize("world", [SNAPSHOTS, REPLAY])
async def test_a_cancelled_step_harms_nobody(world: World) -> None:
    of = worlds(world, Counter())
    steps = await grown(of, (), "right")
    cancelled = asyncio.ensure_future(of.step(steps, "right", ""))
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert (await of.step(steps, "wait", "")).text == "room 1"


class Lasting(Corridor):
    """A corridor that takes its time to close."""

    async def aclose(self) -> None:
        await asyncio.sleep(0.01)
        await super().aclose()


async def test_an_instance_whose_closing_was_cancelled_is_closed_again() -> None:
    counts = Counter[str]()
    of = Worlds(World(max_instances=1), partial(Lasting, 9, counts))
    await of.step((), "right", "")
    cancelled = asyncio.ensure_future(of.step((), "wait", ""))  # closes the one that has gone on
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert counts["live"] == 1
    assert (await of.step((), "wait", "")).text == "room 0"
    await of.aclose()
    assert (counts["live"], counts["most"]) == (0, 1)


class Sticking(Corridor):
    """A corridor that can't be closed while another one is open that can."""

    error: Exception = EnvironmentFailure("the server is gone")

    async def aclose(self) -> None:
        if self.path == ["right"]:
            raise self.error
        await super().aclose()


async def all_closed(error: Exception) -> Counter[str]:
    """Counts of a world with three instances, one of which can't be closed."""
    counts = Counter[str]()
    of = Worlds(World(max_instances=3), partial(type("Sticks", (Sticking,), {"error": error}), 9, counts))
    await asyncio.gather(*(of.step((), action, "") for action in ACTIONS))
    assert counts["live"] == 3
    try:
        await of.aclose()
    finally:
        assert counts["live"] == 1
    return counts


async def test_an_instance_that_can_not_be_closed_ends_nothing_and_leaves_no_other_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await all_closed(EnvironmentFailure("the server is gone"))
    assert "could not be closed: the server is gone" in caplog.text
    await all_closed(cast(Exception, ExceptionGroup("in a task group", [EnvironmentFailure("gone too")])))
    assert "could not be closed: gone too" in caplog.text
    with pytest.raises(ZeroDivisionError):
        await all_closed(ZeroDivisionError())


class TestWhatMustNotBeRepeated:
    WORLD = World(repeatable=False)

    async def test_it_can_be_gone_on_with_but_not_forked(self) -> None:
        counts = Counter[str]()
        of = worlds(self.WORLD, counts)
        steps = await grown(of, (), "right")
        await grown(of, steps, "right")
        with pytest.raises(EnvironmentFailure, match="must not be repeated"):
            await of.step(steps, "left", "")
        assert counts["step"] == 2

    def both(self, journal: Journal, counts: Counter[str]) -> Worlds:
        return Worlds(self.WORLD, partial(Corridor, 9, counts), Effects(journal, "problem"))

    async def test_a_step_that_was_begun_and_not_ended_fails_on_resume(self) -> None:
        journal, counts = Journal(None), Counter[str]()
        step = asyncio.ensure_future(self.both(journal, counts).step((), "hang", "here"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert counts["step"] == 1
        step.cancel()
        with pytest.raises(EnvironmentFailure, match="in the middle of this step"):
            await self.both(journal, counts).step((), "hang", "here")
        assert counts["step"] == 1
        journal.close()

    async def test_a_step_that_ended_shows_what_it_showed_then(self) -> None:
        journal, counts = Journal(None), Counter[str]()
        seen = await self.both(journal, counts).step((), "right", "here")
        assert await self.both(journal, counts).step((), "right", "here") == seen
        assert counts["step"] == 1
        assert isinstance(seen, Observation)
        journal.close()
