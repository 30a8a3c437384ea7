"""Progress of a run on standard error: a bar on a terminal, a plain line every few seconds elsewhere.

What it shows is read off the run itself: results that landed, calls in flight, what was spent. Nothing here
goes to standard output, and nothing here can slow the run down: it looks a few times a second at most.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from branchwise.orchestrator.core.budget import Account
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.report.strategy import outcome_of

PLAIN_SECONDS = 5.0
BAR_SECONDS = 0.25
RATE_SECONDS = 5.0


class Display(Protocol):
    """Where progress is shown."""

    def update(self, progress: Progress) -> None: ...
    def say(self, message: str) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Progress:
    """How far a run is. ``say`` prints a message beside it."""

    name: str
    total: int
    account: Account
    display: Display
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    graded: int = 0
    correct: int = 0
    started: float = field(init=False)
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.started = self.clock()
        self._seen.append((self.started, self.account.spent.tokens))

    def landed(self, result: Result) -> None:
        """Count a result."""
        outcome = outcome_of(result)
        self.done += 1
        self.graded += outcome is not None
        self.correct += bool(outcome)

    def say(self, message: str) -> None:
        """Print a message."""
        self.display.say(message)

    def accuracy(self) -> str:
        """Right of the graded so far."""
        share = f"{100 * self.correct / self.graded:.1f} %" if self.graded else "-"
        return f"accuracy {share} ({self.correct}/{self.graded})"

    def speed(self) -> str:
        """Tokens a second over the last seconds, calls in flight, and what was spent in all."""
        spent, now = self.account.spent, self.clock()
        self._seen.append((now, spent.tokens))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        passed = now - self._seen[0][0]
        rate = (spent.tokens - self._seen[0][1]) / passed if passed > 0 else 0.0
        money = f", cost {spent.money:.4f}" if spent.money else ""
        return (
            f"{rate:,.0f} tokens/s, {self.account.booked_calls} in flight, "
            f"spent {spent.tokens:,} tokens in {spent.calls:,} calls{money}"
        )

    def line(self) -> str:
        """All of it in one line."""
        seconds = self.clock() - self.started
        return f"{self.done}/{self.total} problems, {self.accuracy()}, {self.speed()}, {seconds:.0f} s"


class Lines:
    """Plain lines, for files and pipes."""

    def update(self, progress: Progress) -> None:
        """Print where it is."""
        self.say(progress.line())

    def say(self, message: str) -> None:
        """Print a message."""
        print(message, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to close."""


class Bar:
    """A bar on a terminal."""

    def __init__(self, name: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        text = TextColumn("{task.fields[accuracy]}\n{task.fields[speed]}", markup=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(24), MofNCompleteColumn())
        clocks = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self._rich = RichProgress(*columns, *clocks, text, console=Console(stderr=True), transient=True)
        self._task = self._rich.add_task(name, total=total, accuracy="", speed="")
        self._rich.start()

    def update(self, progress: Progress) -> None:
        """Move the bar."""
        self._rich.update(self._task, completed=progress.done, accuracy=progress.accuracy(), speed=progress.speed())

    def say(self, message: str) -> None:
        """Print a message above the bar."""
        self._rich.console.print(message, markup=False, highlight=False)

    def close(self) -> None:
        """Take the bar away."""
        self._rich.stop()


@asynccontextmanager
async def shown(name: str, total: int, account: Account) -> AsyncIterator[Progress]:
    """Progress that is redrawn while the body runs."""
    terminal = sys.stderr.isatty()
    display: Display = Bar(name, total) if terminal else Lines()
    progress = Progress(name, total, account, display)
    redrawing = asyncio.create_task(_redraw(progress, BAR_SECONDS if terminal else PLAIN_SECONDS))
    try:
        yield progress
    finally:
        redrawing.cancel()
        with suppress(asyncio.CancelledError):
            await redrawing
        display.update(progress)
        display.close()


async def _redraw(progress: Progress, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        progress.display.update(progress)
