"""Reports for the command line: read from journals, shown as a table, written as a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from branchwise.orchestrator.report.collect import collect
from branchwise.orchestrator.report.data import Report

TREES = 12


def read_report(directories: Sequence[Path], trees: int = TREES, wanted: Sequence[str] = ()) -> Report:
    """The report of these runs. ConfigError where one is no run directory, or has no problem of an id wanted."""
    return collect(directories, created_now(), trees, wanted=wanted)


def created_now() -> str:
    """The time that a report bears."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z")


def show_table(report: Report) -> None:
    """The table on standard output."""
    from branchwise.orchestrator.report.terminal import plain

    if not sys.stdout.isatty():
        sys.stdout.write(plain(report))
        return
    from rich.console import Console

    from branchwise.orchestrator.report.terminal import show

    show(report, Console())


def warn(report: Report) -> None:
    """On standard error, of each run of which every judgement or every problem was lost, and with what reason."""
    from branchwise.orchestrator.report.terminal import printable

    for one in report.strategies:
        if one.unjudged or (one.all_failed and one.notes):
            print(f"branchwise: warning: {printable(f'{one.name}: {one.notes[0]}')}", file=sys.stderr)


def write_page(report: Report, path: Path) -> None:
    """The HTML page. OSError where it can't be written."""
    from branchwise.orchestrator.report.html import render

    path.write_text(render(report), encoding="utf-8", newline="")
