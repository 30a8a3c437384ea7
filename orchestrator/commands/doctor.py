"""`branchwise doctor`: asks every model of a workflow what it is and whether it can do what is needed of it.

A few small requests are sent to each, and each reward judges a small solution once; nothing goes on record. Exit
code 0: all is well; 2: something is to change.
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
from branchwise.orchestrator.doctor.examination import Examined, examine
from branchwise.orchestrator.doctor.rehearsal import Rehearsed

WELL, TO_CHANGE = 0, 2
COLUMNS = ("model", "kind", "address", "serves", "needed and tried", "speed")


def doctor(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine, and say what to change. ConfigError where the workflow itself is wrong."""
    examined = asyncio.run(examine(workflow_of(arguments, environment)))
    if arguments.json:
        models, judged = map(_as_json, examined.models), map(_judgement_as_json, examined.judged)
        print(json.dumps({"models": [*models], "judged": [*judged]}, ensure_ascii=False))
    else:
        _show([_row(one) for one in examined.models])
        _list("Judged a solution of two steps, once each", list(map(_judgement, examined.judged)))
        _list("To change", examined.advice)
        _list("Not to be seen from here", examined.unseen)
    return TO_CHANGE if examined.advice else WELL


def _list(heading: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"\n{heading}:", *(f"- {line}" for line in lines), sep="\n")


def _judgement(one: Rehearsed) -> str:
    if one.judgement is None or one.judgement.value is None:
        return f"{one.place} ({one.kind}): {'not seen' if one.unseen else 'FAILS'}"
    steps = ", ".join(f"{value:.4g}" for value in one.judgement.step_values)
    return f"{one.place} ({one.kind}): {one.judgement.value:.4g}{f', steps {steps}' if steps else ''}"


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


def _judgement_as_json(one: Rehearsed) -> dict[str, Any]:
    value, steps = (one.judgement.value, one.judgement.step_values) if one.judgement is not None else (None, ())
    return {
        "place": one.place,
        "kind": one.kind,
        "value": value,
        "step_values": list(steps),
        "to_change": one.wrong,
        "unseen": one.unseen,
    }
