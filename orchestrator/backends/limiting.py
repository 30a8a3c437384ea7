"""Limits on the calls in flight and on their rate, for one endpoint.

Why not a semaphore from elsewhere: one that blocks a thread starves the name resolver; asyncio-throttle
polls and lets late comers pass, so only one caller at a time may wait on it.

1. A call waits for one of ``max_in_flight`` slots, in the order that scheduling.py gives.
2. Holding its slot, and again one at a time, it waits until the endpoint's Retry-After is over and the
   throttle lets it pass. (The slot comes first: a call that had passed the throttle and then waited for a
   slot could be sent in a burst beyond the rate.)
3. It is sent. If the server answers with a Retry-After, all calls of this endpoint are held that long.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

from branchwise.orchestrator.backends.scheduling import Slots, Turns
from branchwise.orchestrator.backends.wrapping import Wrapping
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.core.roles import Backend

MAX_HOLD_SECONDS = 120.0


class Throttle(Protocol):
    """What is used of asyncio-throttle."""

    async def acquire(self) -> None: ...


class Limited(Wrapping):
    """A backend with at most ``max_in_flight`` calls at once and ``requests_per_second`` sent.

    ``in_flight`` and ``waiting`` (for a slot, the rate or a Retry-After) may be read at any time.
    """

    def __init__(
        self,
        backend: Backend,
        max_in_flight: int,
        requests_per_second: float | None = None,
        *,
        turns: Turns = "fair",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(backend)
        self._slots = Slots(max_in_flight, turns)
        self._gate = Slots(1)
        self._at_gate = 0
        self._throttle = _throttle(requests_per_second) if requests_per_second else None
        self._clock = clock
        self._held_until = -math.inf
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Calls that have not been sent yet."""
        return self._slots.waiting + self._at_gate

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """As the inner backend, in turn."""
        slot = await self._slots.acquire()
        try:
            if self._throttle is not None or self._at_gate or self._clock() < self._held_until:
                await self._pass_gate()
            self.in_flight += 1
            try:
                return await self._backend.generate(request, progress)
            finally:
                self.in_flight -= 1
        except BackendError as error:
            self._hold(error.retry_after_seconds)
            raise
        finally:
            self._slots.release(slot)

    async def _pass_gate(self) -> None:
        self._at_gate += 1
        try:
            await self._gate.acquire()
            try:
                while (pause := self._held_until - self._clock()) > 0:  # noqa: ASYNC110 - may be prolonged
                    await asyncio.sleep(pause)
                if self._throttle is not None:
                    await self._throttle.acquire()
            finally:
                self._gate.release()
        finally:
            self._at_gate -= 1

    def _hold(self, seconds: float | None) -> None:
        if seconds is not None:
            self._held_until = max(self._held_until, self._clock() + min(seconds, MAX_HOLD_SECONDS))


def _throttle(requests_per_second: float) -> Throttle:
    """A throttle of a whole number of requests in a period of one second or a little more."""
    from asyncio_throttle.throttler import Throttler

    whole = math.ceil(requests_per_second)
    return Throttler(rate_limit=whole, period=whole / requests_per_second)
