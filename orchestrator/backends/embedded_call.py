"""One call of the embedded engine: made by a thread, watched and cancelled from the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from branchwise.orchestrator.backends.embedded_wire import Answers
from branchwise.orchestrator.core.request import Progress


class Call:
    """One call of the engine, made by a thread and cancelled from the event loop."""

    def __init__(self, body: bytes, answers: Answers, progress: Progress) -> None:
        self.answers = answers
        self.cancelled = False
        self._body = body
        self._progress = progress
        self._before = progress.usage
        self._failure: BaseException | None = None

    def run(self, server: Any) -> None:
        """Ask the engine and take the pieces until the last; raises what went wrong with one."""
        if self.cancelled:
            return
        self._progress.usage = self._before + self.answers.usage
        server.handle_completions(self._body, self._take)
        if self._failure is not None:
            raise self._failure

    def _take(self, piece: bytes) -> bool:
        """Take a piece; True stops the engine. An exception would be lost in C++, so it is kept."""
        try:
            self.answers.take(piece)
            self._progress.usage = self._before + self.answers.usage
        except Exception as error:
            self._failure = error
        return self.cancelled or self._failure is not None


async def ended(running: asyncio.Future[None]) -> None:
    """Wait for a thread that was told to stop, whatever further cancellations come."""
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            continue
    if not running.cancelled():
        running.exception()  # seen: what a cancelled call ran into is nobody's concern
