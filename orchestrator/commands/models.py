"""`branchwise models`: which models there are by name, and fetching one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from branchwise.orchestrator.backends.catalogue import Model, default_cache, list_models
from branchwise.orchestrator.backends.pulling import Progress
from branchwise.orchestrator.backends.pulling import pull as fetch

MEGABYTE = 1e6


def listing(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print every model that has a name."""
    models = list_models(default_cache(environment))
    if arguments.json:
        print(json.dumps([_as_json(model) for model in models], indent=1))
        return 0
    rows = [("name", "size", "state", "licence", "from"), *map(_row, models)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def pull(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Fetch a model; its path goes to standard output."""
    print(fetch(arguments.name, _progress(), default_cache(environment)))
    return 0


def _progress() -> Progress:
    shown = -1

    def say(done: int, total: int | None) -> None:
        nonlocal shown
        tenth = 10 * done // total if total else done // 10_000_000
        if tenth != shown:
            shown = tenth
            of = f" of {total / MEGABYTE:.0f}" if total else ""
            print(f"{done / MEGABYTE:.0f}{of} MB", file=sys.stderr, flush=True)

    return say


def _row(model: Model) -> tuple[str, str, str, str, str]:
    size = f"{model.size_bytes / MEGABYTE:.1f} MB" if model.size_bytes else "-"
    state = "here" if model.present else f"branchwise models pull {model.name}"
    return model.name, size, state, model.licence, model.source


def _as_json(model: Model) -> dict[str, str | int | bool | None]:
    return {
        "name": model.name,
        "present": model.present,
        "path": str(model.path) if model.path else None,
        "size_bytes": model.size_bytes,
        "origin": model.origin,
        "source": model.source,
        "licence": model.licence,
    }
