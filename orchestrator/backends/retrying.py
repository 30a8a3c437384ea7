"""Tries again after a retryable failure: exponential back-off with full jitter, holding no slot meanwhile.

It goes around the limiter, so that a call that waits to try again does not keep another from being sent.

1. Try. A failure that is not retryable, or the last one, is raised as it is.
2. Wait a random time in [0, min(cap, base * 2^k)), and at least what the server asked for. If it asks for
   more than MAX_WAIT_SECONDS the failure is raised at once: nobody wants a run that sleeps for an hour.
3. Start again in the limiter's queue.

A server that can't be reached at all, or is said to be away while nobody gets an answer, is no fault of the call: it
waits with all others (outage.py), and has neither used up a try nor a call of the budget. What is away and won't come
back, as it is not retryable, is not waited for: a run on record is suspended at once.

Counting: each try that failed has its call (and the tokens that had come by then) in ``progress.usage`` and
was settled by the meter inside; the draws that are returned hold the last try's usage only. So a call that
needed three tries has ``calls`` 1 in its draws and 3 in the progress and in the account.

Reference: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from branchwise.orchestrator.backends.outage import Outage
from branchwise.orchestrator.backends.wrapping import Wrapping
from branchwise.orchestrator.core.errors import BackendError, Unavailable, Unreachable
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.usage import Usage

BASE_SECONDS = 0.25
CAP_SECONDS = 30.0
MAX_WAIT_SECONDS = 120.0

_log = logging.getLogger(__name__)


class Retrying(Wrapping):
    """A backend that is asked up to ``retries`` times again after retryable failures."""

    def __init__(
        self,
        backend: Backend,
        retries: int,
        rng: random.Random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        outage: Outage | None = None,
    ) -> None:
        super().__init__(backend)
        self._retries = retries
        self._rng = rng
        self._sleep = sleep
        self._outage = outage or Outage(0.0)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """As the inner backend; raises the last try's error, or Suspended where it reached no server."""
        progress = progress or Progress()
        failures, waits, answers = 0, False, self._outage.answers
        try:
            while True:
                await self._outage.pass_by()
                calls = progress.usage.calls
                try:
                    draws = await self._backend.generate(request, progress)
                    self._outage.end()
                    return draws
                except BackendError as error:
                    answered, answers = self._outage.answers > answers, self._outage.answers
                    away = isinstance(error, Unreachable) and not (answered and isinstance(error, Unavailable))
                    if away and error.retryable and self._outage.met(error, waits):
                        waits = True
                        continue
                    if progress.usage.calls == calls and not isinstance(error, Unreachable):
                        progress.usage += Usage(calls=1)
                    pause = self._pause(error, failures)
                    if pause is None:
                        if away:
                            self._outage.give_up(error)
                        raise
                    failures += 1
                    _log.info("try %d of %d failed, next in %.2f s: %s", failures, self._retries + 1, pause, error)
                await self._sleep(pause)
        finally:
            if waits:
                self._outage.leave()

    def _pause(self, error: BackendError, failures: int) -> float | None:
        """Seconds to wait before the next try, or None to give up."""
        asked = error.retry_after_seconds or 0.0
        if not error.retryable or failures >= self._retries or asked > MAX_WAIT_SECONDS:
            return None
        ceiling = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(failures, 16))
        return asked + self._rng.random() * ceiling
