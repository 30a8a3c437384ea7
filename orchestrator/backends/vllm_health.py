"""Health of vLLM servers: /health, and what /metrics says of the queue and the cache.

A watch looks at every replica of a model once in a while: one that does not answer is out, one that answers again is
back. It runs only where there are replicas to choose from, and as long: a look that fails by a defect of ours is
logged with its traceback, since a watch that ends would leave those that are out there for good.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.vllm_replicas import Replica
from branchwise.orchestrator.core.errors import BackendError

LOOK_SECONDS = 5.0
FULL = 0.95
_METRIC = re.compile(r"^vllm:(num_requests_waiting|kv_cache_usage_perc)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a server is: requests that wait, and the share of its key-value cache in use."""

    waiting: int = 0
    cache_usage: float = 0.0

    @property
    def congested(self) -> bool:
        """Full, so that one more prefix drives another one out."""
        return self.waiting > 0 and self.cache_usage >= FULL


def load_of(metrics: str) -> Load:
    """What a server's metrics say; engines of one server are taken together. What is missing counts as idle."""
    waiting, usage = 0, 0.0
    for name, text in _METRIC.findall(metrics):
        with suppress(ValueError, OverflowError):
            value = float(text)
            if name == "num_requests_waiting":
                waiting += int(value)
            else:
                usage = max(usage, value)
    return Load(waiting, usage)


async def look(connection: Connection, timeout_seconds: float = LOOK_SECONDS) -> Load:
    """A server's load now; BackendError where it is not healthy."""
    await connection.get("health", timeout_seconds)
    try:
        return load_of((await connection.get("metrics", timeout_seconds)).decode("utf-8", "replace"))
    except BackendError:  # healthy, and started without metrics
        return Load()


class Watch:
    """Keeps ``out`` and ``congested`` of replicas up to date. Started by the first call, stopped by ``aclose``."""

    def __init__(self, replicas: Sequence[Replica], every_seconds: float) -> None:
        self._replicas, self._every = replicas, every_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch from now on, where there is a choice."""
        if self._task is None and len(self._replicas) > 1:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            await asyncio.gather(*(self._look_at(replica) for replica in self._replicas))

    async def _look_at(self, replica: Replica) -> None:
        try:
            replica.congested = (await look(replica.connection)).congested
        except BackendError as error:
            if not replica.out:
                _log.warning("replica %s is out: %s", replica.address, error)
                replica.lose()
            return
        except Exception:
            _log.exception("replica %s can't be looked at", replica.address)
            return
        if replica.out:
            _log.warning("replica %s is back", replica.address)
            replica.out = False

    async def aclose(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
