"""Worlds: the world of one problem, in whatever state its search goes on from. Forking never disturbs the parent.

1. A node's state is named by the actions that lead to it from the start.
2. A world with snapshots has one live instance. Before it acts it is restored to the node's state, unless it stands
   there; the latest ``kept`` snapshots stay, and that of the start.
3. Any other world is forked by replay: an idle instance goes on from where it stands, else a fresh one is taken along
   the actions. At most ``max_instances`` live at once; who comes later waits.
4. On the way there, what is seen is held against what the trajectory remembers: a world that answers otherwise than
   before has broken. So trajectories from a journal need no world until one of them is gone on with.
5. What an action brings in a repeatable world is not found out twice, as long as it is remembered.
6. A world that is not repeatable is never taken anywhere by replay, and each of its steps is on record from before it
   begins: one that was begun and not ended is a failure on resume.
7. An instance that can't be closed is told of and left: nobody goes on in it, so nothing is lost by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, cast

from branchwise.orchestrator.core.errors import EnvironmentFailure
from branchwise.orchestrator.core.roles import Environment, Restorable
from branchwise.orchestrator.core.together import bare
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.core.world import Observation, World

Path = tuple[str, ...]
START: Path = ()
_log = logging.getLogger(__name__)


class Effects(Protocol):
    """The record of steps that must not be repeated."""

    def begin(self, address: str) -> Observation | None:
        """Put a step on record before it is made; what it showed if it has been made; EnvironmentFailure if it was
        begun and never ended."""
        ...

    def end(self, address: str, observation: Observation) -> None: ...


@dataclass(slots=True, eq=False)
class _Live:
    """An instance, where it stands, and what it showed there; no path: it broke, or a call of it was cancelled."""

    environment: Environment
    path: Path | None = None
    observation: Observation = field(default_factory=lambda: Observation(""))


@dataclass(slots=True)
class _Seen:
    observation: Observation
    snapshot: object = None


class Worlds:
    """Every state of one problem's world."""

    def __init__(
        self,
        world: World,
        environment: Callable[[], Environment] | None = None,
        effects: Effects | None = None,
        kept: int = 1024,
    ) -> None:
        self.world = world
        self._environment, self._effects, self._kept = environment, effects, kept
        self._most = 1 if world.snapshots else world.max_instances
        self._room = asyncio.Semaphore(self._most)
        self._live: list[_Live] = []
        self._idle: list[_Live] = []
        self._seen: OrderedDict[Path, _Seen] = OrderedDict()

    async def at(self, steps: tuple[Step, ...]) -> Observation:
        """What the world shows after these steps; after none, what it shows at the start."""
        seen = self._seen.get(_path(steps))
        if seen is not None:
            return seen.observation
        async with self._standing(steps) as live:
            return live.observation

    async def step(self, steps: tuple[Step, ...], action: str, address: str) -> Observation:
        """What ``action`` brings after these steps. ``address`` is the step's name on record, the same on resume."""
        if self.world.repeatable:
            known = self._seen.get((*_path(steps), action))
            return await self._stepped(steps, action) if known is None else known.observation
        if self._effects is None:
            return await self._stepped(steps, action)
        observation = self._effects.begin(address)
        if observation is None:
            observation = await self._stepped(steps, action)
            self._effects.end(address, observation)
        return observation

    async def aclose(self) -> None:
        """Close every instance, also where one of them raises or is cancelled."""
        async with AsyncExitStack() as closing:
            while self._live:
                closing.push_async_callback(_shut, self._live.pop())

    # -- going there -------------------------------------------------------------------------------------

    async def _stepped(self, steps: tuple[Step, ...], action: str) -> Observation:
        async with self._standing(steps) as live:
            return await self._do(live, action)

    @asynccontextmanager
    async def _standing(self, steps: tuple[Step, ...]) -> AsyncIterator[_Live]:
        """An instance that stands after these steps, for the caller alone."""
        async with self._room:
            live = await self._taken(_path(steps))
            try:
                await self._bring(live, steps)
                yield live
            finally:
                self._idle.append(live)

    async def _taken(self, path: Path) -> _Live:
        """The idle instance that stands there, one that can be restored, or a fresh one."""
        while not self._restorable and (broken := self._idle_at(None)) is not None:
            await self._close(broken)
        fit = self._idle_at(path) or (self._idle[0] if self._restorable and self._idle else None)
        if fit is not None:
            self._idle.remove(fit)
            return fit
        if path and not self.world.repeatable:
            raise EnvironmentFailure("the world has gone on from here, and what was done in it must not be repeated")
        while len(self._live) >= self._most:
            await self._close(self._idle[0])
        assert self._environment is not None, "these worlds are only to count with"
        live = _Live(self._environment())
        self._live.append(live)
        return live

    @property
    def _restorable(self) -> bool:
        return self.world.snapshots and START in self._seen

    def _idle_at(self, path: Path | None) -> _Live | None:
        return next((one for one in self._idle if one.path == path), None)

    async def _close(self, live: _Live) -> None:
        """Close an idle instance. Cancelled meanwhile it may still be open: it is kept, to be closed again."""
        self._idle.remove(live)
        live.path = None
        try:
            await _shut(live)
        except BaseException:
            self._idle.append(live)
            raise
        self._live.remove(live)

    async def _bring(self, live: _Live, steps: tuple[Step, ...]) -> None:
        path = _path(steps)
        if live.path == path:
            return
        if self._restorable:
            await self._restore(live, path)
        else:
            await self._arrived(live, START, await live.environment.start())
        assert live.path is not None
        for step in steps[len(live.path) :]:
            if not self.world.repeatable:
                raise EnvironmentFailure("the world's state is lost, and what was done in it must not be repeated")
            observation = await self._do(live, step.action or "")
            if observation.text != step.observation:
                raise EnvironmentFailure(f"replayed, {step.action!r} shows {observation.text!r}, not as before")

    async def _restore(self, live: _Live, path: Path) -> None:
        """Restore the nearest state on the way there that has a snapshot; the start has one."""
        ways = (path[:length] for length in range(len(path), -1, -1))
        near = next(way for way in ways if way in self._seen and self._seen[way].snapshot is not None)
        self._seen.move_to_end(near)
        live.path = None
        await cast(Restorable, live.environment).restore(self._seen[near].snapshot)
        live.path, live.observation = near, self._seen[near].observation

    async def _do(self, live: _Live, action: str) -> Observation:
        path, live.path = live.path or START, None
        observation = await live.environment.step(action)
        await self._arrived(live, (*path, action), observation)
        return observation

    async def _arrived(self, live: _Live, path: Path, observation: Observation) -> None:
        seen = _Seen(observation)
        if self.world.snapshots and not observation.done:
            seen.snapshot = await cast(Restorable, live.environment).snapshot()
        live.path, live.observation = path, observation
        self._seen[path] = seen
        self._seen.move_to_end(path)
        while len(self._seen) > self._kept + 1:
            oldest = next(way for way in self._seen if way != START)
            del self._seen[oldest]


async def _shut(live: _Live) -> None:
    try:
        await bare(live.environment.aclose())
    except EnvironmentFailure as error:
        _log.warning("a world could not be closed: %s", error)


def _path(steps: tuple[Step, ...]) -> Path:
    return tuple(step.action or "" for step in steps)
