"""The worker process as seen from here: started when needed, asked one formula after another, replaced when lost.

A formula that takes too long or too much memory costs its answer only. What is known is remembered, a loss included,
so that no text is paid for twice.
"""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from dataclasses import dataclass
from threading import Lock
from typing import IO, Any, Final

from branchwise.orchestrator.core.errors import SandboxError
from branchwise.tasks.math.latex import Formula
from branchwise.tasks.math.worker import OUT_OF_MEMORY, TOO_SLOW

MAX_REMEMBERED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one formula may take: processor time and memory."""

    seconds: float = 5.0
    megabytes: int = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What became of a formula: its form, none where it can't be parsed, or why that can't be told."""

    form: str | None
    lost: str = ""
    too_slow: bool = False


class Worker:
    """Forms of formulas, one after another; see worker.py for how they are made."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        self._end: weakref.finalize[[subprocess.Popen[str]], Worker] | None = None
        self._known: dict[Formula, Known] = {}

    def known(self, formula: Formula) -> Known | None:
        """What became of a formula, if it was asked before."""
        return self._known.get(formula)

    def form(self, formula: Formula) -> Known:
        """What becomes of a formula. SandboxError where there can be no worker: that is no formula's fault."""
        with self._lock:
            found = self._known.get(formula)
            if found is None:
                if len(self._known) >= MAX_REMEMBERED:
                    self._known.clear()
                found = self._known[formula] = self._asked(formula)
        return found

    def _asked(self, formula: Formula) -> Known:
        process = self._process or self._started()
        try:
            answer = _exchange(process, [formula.items, formula.joint])
        except (EOFError, BrokenPipeError):
            self._given_up()
            return Known(None, f"the worker process ended (exit code {process.returncode}): {formula.text[:60]!r}")
        if isinstance(answer, dict):
            code = answer["lost"]
            return Known(None, f"{self._cause(code)}: {formula.text[:60]!r}", code == TOO_SLOW)
        return Known(answer)

    def _started(self) -> subprocess.Popen[str]:
        """A new worker, ready."""
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
        self._end = weakref.finalize(self, _end, process)
        try:
            json.loads(_line(process.stdout))
        except EOFError:
            self._given_up()
            raise SandboxError(
                f"the worker for mathematics does not start (exit code {process.returncode})"
            ) from None
        self._process = process
        return process

    def _given_up(self) -> None:
        """The process and the pipes to it are no more."""
        if self._end is not None:
            self._end()
        self._process = self._end = None

    def _cause(self, code: int) -> str:
        if code == TOO_SLOW:
            return f"a formula took longer than {self._limits.seconds:g} s"
        if code == OUT_OF_MEMORY:
            return f"a formula took more than {self._limits.megabytes} MB"
        return f"a formula broke the worker process (exit code {code})"


def _exchange(process: subprocess.Popen[str], question: Any) -> Any:
    assert process.stdin is not None
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return json.loads(_line(process.stdout))


def _line(stream: IO[str] | None) -> str:
    line = stream.readline() if stream is not None else ""
    if not line.endswith("\n"):
        raise EOFError
    return line


def _end(process: subprocess.Popen[str]) -> None:
    """End a worker; what it is still busy with is not waited for."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:  # what was not read any more
                pass
