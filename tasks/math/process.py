"""The worker process as seen from here: started when needed, asked one formula after another, replaced when lost.

Any thread may ask. A formula that takes too long or too much memory costs the worker its life and the one answer; the
next formula gets a new worker. What is known is remembered, a loss included, so that no text is paid for twice.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import weakref
from dataclasses import dataclass
from threading import Lock
from typing import IO, Any, Final

from branchwise.orchestrator.core.errors import SandboxError
from branchwise.tasks.math.worker import OUT_OF_MEMORY

MAX_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one formula may take: processor time and memory."""

    seconds: float = 5.0
    megabytes: int = 1024


class Worker:
    """Forms of formulas; see worker.py for how they are made."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._known: dict[str, str | SandboxError | None] = {}

    def form(self, formula: str) -> str | None:
        """The form of a formula, None where it can't be parsed; SandboxError where the worker was lost over it."""
        with self._lock:
            if formula not in self._known:
                if len(self._known) >= MAX_REMEMBERED:
                    self._known.clear()
                self._known[formula] = self._asked(formula)
            found = self._known[formula]
        if isinstance(found, SandboxError):
            raise found
        return found

    def _asked(self, formula: str) -> str | SandboxError | None:
        process = self._process or self._started()
        try:
            found: str | None = _exchange(process, formula)
        except (EOFError, BrokenPipeError):
            self._process = None
            return SandboxError(f"{self._cause(process)}: {formula[:60]!r}")
        return found

    def _started(self) -> subprocess.Popen[str]:
        """A new worker, ready. SandboxError where none can be had: that is no formula's fault."""
        arguments = [str(self._limits.seconds), str(self._limits.megabytes)]
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "branchwise.tasks.math.worker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            text=True,
            encoding="utf-8",
        )
        weakref.finalize(self, _end, process)
        try:
            json.loads(_line(process.stdout))
        except EOFError:
            raise SandboxError(f"the worker for mathematics does not start (exit code {process.wait()})") from None
        self._process = process
        return process

    def _cause(self, process: subprocess.Popen[str]) -> str:
        code = process.wait()
        if code == -signal.SIGPROF:
            return f"a formula took longer than {self._limits.seconds:g} s"
        if code == OUT_OF_MEMORY:
            return f"a formula took more than {self._limits.megabytes} MB"
        return f"a formula broke the worker process (exit code {code})"


def _exchange(process: subprocess.Popen[str], formula: str) -> Any:
    assert process.stdin is not None
    process.stdin.write(json.dumps(formula) + "\n")
    process.stdin.flush()
    return json.loads(_line(process.stdout))


def _line(stream: IO[str] | None) -> str:
    line = stream.readline() if stream is not None else ""
    if not line.endswith("\n"):
        raise EOFError
    return line


def _end(process: subprocess.Popen[str]) -> None:
    """A worker whose input is closed ends; what it is still busy with is not waited for."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:  # what was not read any more
                pass
