"""The server of the tests in a process of its own, and what a piece of work against it took."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import uvloop

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """What one piece of work took, and what the server saw of it."""

    wall_seconds: float
    cpu_seconds: float
    requests: int
    peak: int


class ServerProcess:
    """``python -m tests.server`` on a free port; ``options`` are those of its command line."""

    def __init__(self, **options: object) -> None:
        self._options, self._process = options, None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Start it; on the port it had, if it was killed."""
        command = [sys.executable, "-m", "tests.server", "--port", str(self.port)]
        for name, value in self._options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    @property
    def url(self) -> str:
        """Base address for clients, by the name localhost."""
        return f"http://localhost:{self.port}/v1"

    def behave(self, **fields: object) -> None:
        """Change fields of its ``Behaviour``."""
        self._post("behave", json.dumps(fields).encode())

    def reset(self) -> None:
        """Let it forget what it saw."""
        self._post("reset", b"")

    def stats(self) -> dict[str, Any]:
        """What it saw since the last reset."""
        with urllib.request.urlopen(f"http://localhost:{self.port}/stats") as answer:
            seen: dict[str, Any] = json.load(answer)
        return seen

    def _post(self, path: str, body: bytes) -> None:
        urllib.request.urlopen(f"http://localhost:{self.port}/{path}", data=body).close()

    def measure(self, work: Callable[[], Awaitable[T]]) -> tuple[T, Timing]:
        """Do the work on a fresh loop: what came of it, and what it took."""
        self.reset()
        before, started = cpu_seconds(), time.perf_counter()

        async def run() -> T:
            return await work()

        result = uvloop.run(run())
        wall, cpu, seen = time.perf_counter() - started, cpu_seconds() - before, self.stats()
        return result, Timing(wall, cpu, seen["calls"], seen["peak"])

    def kill(self) -> None:
        """End it without a word to its clients."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
