"""`branchwise doctor`: asks every model of a workflow what it is and whether it can do what is needed of it.

A few small requests are sent to each; nothing goes on record. Exit code 0: all is well; 2: something is to change.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from branchwise.orchestrator.backends.listening import Listener
from branchwise.orchestrator.commands.preparing import workflow_of
from branchwise.orchestrator.examination import Examined, examine

WELL, TO_CHANGE = 0, 2
COLUMNS = ("model", "kind", "address", "serves", "needed and tried", "speed")


def doctor(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine, and say what to change. ConfigError where the workflow itself is wrong."""
    examined = asyncio.run(examine(workflow_of(arguments, environment)))
    if arguments.json:
        print(json.dumps({"models": [_as_json(one) for one in examined]}, ensure_ascii=False))
    else:
        _show([_row(one) for one in examined])
    changes = [line for one in examined for line in one.advice]
    if not arguments.json:
        _list("To change", changes)
        _list("Not to be seen from here", [line for one in examined for line in one.unseen])
    return TO_CHANGE if changes else WELL


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"\n{heading}:", *(f"- {line}" for line in lines), sep="\n")


def _row(one: Examined) -> tuple[str, ...]:
    heard = list(dict.fromkeys(map(_serves, one.listeners.values())))
    tried = [f"{trial.need}{' FAILS' if trial.wrong else ''}" for trial in one.tried if trial.known]
    where, needs = ", ".join(one.listeners) or "in process", ", ".join(tried) or "-"
    return one.name, one.kind, where, "; ".join(heard) or "-", needs, _speed(one)


def _serves(heard: Listener) -> str:
    return (", ".join(heard.models) or "nothing known") + (f" ({heard.version})" if heard.version else "")


def _speed(one: Examined) -> str:
    if one.speed is None:
        return "-"
    per_second = (one.speed.tokens or one.speed.requests) / max(one.speed.seconds, 1e-9)
    return f"{per_second:,.0f} {'tokens' if one.speed.tokens else 'scores'}/s ({one.speed.requests} at once)"


def _show(rows: Sequence[tuple[str, ...]]) -> None:
    """A table of rich on a terminal, plain columns elsewhere."""
    if not sys.stdout.isatty():
        widths = [max(len(row[column]) for row in (COLUMNS, *rows)) for column in range(len(COLUMNS))]
        for row in (COLUMNS, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _as_json(one: Examined) -> dict[str, Any]:
    return {
        "model": one.name,
        "kind": one.kind,
        "servers": [
            {"address": url, "serves": list(heard.models), "version": heard.version}
            for url, heard in one.listeners.items()
        ],
        "healthy": one.healthy,
        "tried": {trial.need: None if not trial.known else not trial.wrong for trial in one.tried},
        "requests_per_second": one.speed.requests / one.speed.seconds if one.speed else None,
        "tokens_per_second": one.speed.tokens / one.speed.seconds if one.speed else None,
        "to_change": list(one.advice),
        "unseen": list(one.unseen),
    }
