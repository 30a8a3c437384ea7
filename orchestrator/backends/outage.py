"""Outage: what all calls to one server know of its being away, so that they wait together and none of them pays.

1. A call that can't reach a server which has answered before begins the outage. A server that never answered is
   more likely a wrong address: that costs tries, like any failure. What stands before a server may say that it is
   away (Unavailable); where others get answers meanwhile it is this one call that is refused, and that costs a try.
2. All calls wait, a quarter of a second and then twice as long each time, at most five seconds; then they all try.
3. Whoever gets an answer ends the outage. After ``patience_seconds`` it costs tries again. Time goes on only while
   somebody waits, or tries again in vain: a call that comes much later finds what patience was left.
4. When these are used up, too, a run on record is suspended: its candidates are lost by no fault of theirs, and it
   can be gone on with when the server is back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable

from branchwise.orchestrator.core.errors import Suspended

BASE_SECONDS = 0.25
CAP_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Outage:
    """Whether one server is away, and until when nobody tries."""

    def __init__(
        self,
        patience_seconds: float,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        where: str = "",
    ) -> None:
        self._patience, self._sleep, self._clock, self._where = patience_seconds, sleep, clock, where
        self.suspend: Callable[[str], object] | None = None
        self.answers = 0
        """How many calls the server has answered."""
        self._began: float | None = None
        self._waiting, self._waited, self._counted_to = 0, 0.0, 0.0
        self._pause = BASE_SECONDS
        self._until = -math.inf

    async def pass_by(self) -> None:
        """Wait while nobody is to try."""
        while self._began is not None and (pause := self._until - self._clock()) > 0:
            await self._sleep(pause)

    def met(self, error: Exception, again: bool) -> bool:
        """The server can't be reached, ``again`` if the call was told to wait before.

        Returns whether to wait, and to ``leave`` some time; if not, this is a failure like any other.
        """
        if not self.answers:
            return False
        now = self._count()
        if self._began is None:
            self._began, self._waited, self._pause = now, 0.0, BASE_SECONDS
            _log.warning("%s is away, calls wait up to %g s: %s", self._where, self._patience, error)
        left = self._patience - self._waited
        if left <= 0:
            return False
        if now >= self._until:
            self._until = now + min(self._pause, left)
            self._pause = min(CAP_SECONDS, 2 * self._pause)
        self._waiting += not again
        return True

    def give_up(self, error: Exception) -> None:
        """A call that can't reach the server has no tries left. Suspended where a run can be gone on with."""
        if self.suspend is None:
            return
        away = "" if self._began is None else f"{self._where} has been away for {self._waited:.0f} s: "
        self.suspend(away + str(error))
        raise Suspended(away + str(error)) from error

    def leave(self) -> None:
        """A call that was told to wait has come to its end."""
        self._count()
        self._waiting -= 1

    def _count(self) -> float:
        """Add the time since the last look if somebody has waited; now."""
        now = self._clock()
        if self._waiting:
            self._waited += now - self._counted_to
        self._counted_to = now
        return now

    def end(self) -> None:
        """The server has answered."""
        self.answers += 1
        if self._began is not None:
            _log.warning("%s is back after %.0f s", self._where, self._clock() - self._began)
            self._began = None
