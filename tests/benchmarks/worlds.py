"""Steps, snapshots and restores a CPU second of each world, and what forking by replay instead costs.

Each world is walked at random from its start, through the same async face that a search uses. ALFWorld is measured
where its extra is installed, with its caches and without.

    python -m tests.benchmarks.worlds --seconds 2
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import cast

from branchwise.orchestrator.api import load_task
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Restorable, WorldTask
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.engine.worlds import Worlds

SPECS = ["countdown:world=true,numbers=5,count=1"]
ALFWORLD = [
    "alfworld:count=1,receptacles=15,objects=20,type=pick_heat_then_place_in_recep",
    "alfworld:count=1,receptacles=15,objects=20,type=pick_heat_then_place_in_recep,caches=false",
]


@dataclass(frozen=True)
class Figures:
    """What was measured of one world. Rates are a CPU second; ``fork``: a step from a node where nobody stands."""

    world: str
    open_ms: float
    steps: float
    snapshots: float
    restores: float
    forks_by_snapshot: float
    forks_by_replay: float


async def rate(call: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Calls a CPU second, over so many seconds; one at least."""
    count, begin = 0, time.process_time()
    while count == 0 or time.process_time() - begin < seconds:
        await call()
        count += 1
    return count / (time.process_time() - begin)


async def measured(spec: str, seconds: float) -> Figures:
    """The figures of one world."""
    task = cast(WorldTask, load_task(spec, seed=1))
    of = next(task.problems())
    warm = task.environment(of)
    await warm.start()
    await warm.aclose()
    begin = time.process_time()
    environment = cast(Restorable, task.environment(of))
    start = await environment.start()
    opened = time.process_time() - begin
    rng, begun = random.Random(1), await environment.snapshot()
    here = start

    async def step() -> None:
        nonlocal here
        if here.done or not here.actions:
            await environment.restore(begun)
            here = start
        here = await environment.step(rng.choice(here.actions or ("",)))

    steps = await rate(step, seconds)
    snapshots = await rate(environment.snapshot, seconds)
    restores = await rate(lambda: environment.restore(begun), seconds)
    await environment.aclose()
    forks = [await forked(task, of, snapshot, seconds) for snapshot in (True, False)]
    return Figures(spec, opened * 1000, steps, snapshots, restores, *forks)


async def forked(task: WorldTask, of: Problem, snapshots: bool, seconds: float) -> float:
    """Forks a second: each action at each node of a chain, once, since worlds remember what an action brings."""
    world, rng, forks, spent = replace(task.world, snapshots=snapshots), random.Random(1), 0, 0.0
    while spent < seconds:
        worlds = Worlds(world, partial(task.environment, of))
        chain = await walked(worlds, rng, min(10, world.max_steps - 1))
        ways = [
            (chain[:n], action) for n, step in enumerate(chain) for action in await others(worlds, chain[:n], step)
        ]
        rng.shuffle(ways)
        begin = time.process_time()
        for steps, action in ways:
            await worlds.step(steps, action, "")
            forks += 1
            if time.process_time() - begin > seconds - spent:
                break
        spent += time.process_time() - begin
        await worlds.aclose()
    return forks / spent


async def walked(worlds: Worlds, rng: random.Random, length: int) -> tuple[Step, ...]:
    """A chain of so many random steps; fewer where the episode is over before."""
    chain = tuple[Step, ...]()
    while len(chain) < length:
        action = rng.choice((await worlds.at(chain)).actions or ("",))
        seen = await worlds.step(chain, action, "")
        if seen.done:
            break
        chain = (*chain, Step(action, seen.text, action=action))
    return chain


async def others(worlds: Worlds, steps: tuple[Step, ...], taken: Step) -> list[str]:
    """What could have been done instead."""
    return [action for action in (await worlds.at(steps)).actions or () if action != taken.action]


def main() -> None:
    """Print a line for each world, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    specs = SPECS + (ALFWORLD if find_spec("alfworld") is not None else [])
    found = [asyncio.run(measured(spec, arguments.seconds)) for spec in specs]
    if arguments.json:
        print(json.dumps([asdict(figures) for figures in found]))
        return
    for figures in found:
        print(figures.world)
        print(f"  opening {figures.open_ms:.0f} ms of CPU; a CPU second: {figures.steps:.0f} steps, ", end="")
        print(f"{figures.snapshots:.0f} snapshots, {figures.restores:.0f} restores")
        print(f"  forks a CPU second: {figures.forks_by_snapshot:.0f} by snapshot, ", end="")
        print(f"{figures.forks_by_replay:.1f} by replay")


if __name__ == "__main__":
    main()
