"""ALFWorld as a world: the engine behind an async face, in a thread that all games of the process share.

The thread is the lock that the engine needs: calls of all games are done one after the other, and what is asked after
a cancelled call waits until that has ended. Actions are the admissible commands; the reward is 1 for the command that
wins, and winning ends the episode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from branchwise.orchestrator.core.world import Observation
from branchwise.tasks.alfworld.engine import Engine, Shown, Snapshot
from branchwise.tasks.alfworld.games import Game

T = TypeVar("T")
THREAD: Final = ThreadPoolExecutor(1, thread_name_prefix="alfworld")
TASK: Final = "\n\nYour task is to: "


class Alfworld:
    """One episode of a game."""

    def __init__(self, game: Game, cached: bool = True) -> None:
        self._game, self._cached = game, cached
        self._engine: Engine | None = None

    async def start(self) -> Observation:
        """What one sees from the middle of the room; the task is the problem's text."""
        return await _in_thread(self._open)

    async def step(self, action: str) -> Observation:
        """What comes of a command; "Nothing happens." where it is not admissible."""
        return _seen(await _in_thread(lambda: self._opened().step(action)))

    async def snapshot(self) -> Snapshot:
        """The state that the game is in."""
        return await _in_thread(lambda: self._opened().snapshot())

    async def restore(self, snapshot: Snapshot) -> None:
        """Be in that state again."""
        await _in_thread(lambda: self._opened().restore(snapshot))

    async def aclose(self) -> None:
        """Close the game, if it was opened."""
        await _in_thread(self._close)

    def _open(self) -> Observation:
        self._engine = Engine(self._game, self._cached)
        shown = _seen(self._engine.seen)
        return Observation(shown.text.partition(TASK)[0], shown.reward, shown.done, shown.key, shown.actions)

    def _opened(self) -> Engine:
        assert self._engine is not None, "stepped before it was started"
        return self._engine

    def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def wins(game: Game, commands: list[str]) -> bool:
    """Whether these commands win the game, played from its start by another instance. Blocks for about a second."""

    def play() -> bool:
        engine = Engine(game)
        try:
            return any(engine.step(command).won for command in commands)
        finally:
            engine.close()

    return THREAD.submit(play).result()


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(THREAD, call)


def _seen(shown: Shown) -> Observation:
    return Observation(shown.text.strip(), float(shown.won), shown.won, shown.key, shown.commands)
