"""`branchwise report`: table, JSON or page of runs, read from their journals alone."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from branchwise.orchestrator.commands.reporting import read_report, show_table, warn, write_page
from branchwise.orchestrator.commands.summary import problems_of, summary_of
from branchwise.orchestrator.core.errors import ConfigError


def report(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show what these runs came to."""
    page: Path | None = arguments.html
    read = read_report(arguments.directories, arguments.trees, arguments.problems)
    if page is not None:
        try:
            write_page(read, page)
        except OSError as error:
            raise ConfigError(f"--html {page}: {error.strerror or error}") from error
        print(f"Report: {page}", file=sys.stderr)
    if arguments.json:
        runs = [{**summary_of(read, one), "name": one.name} for one in read.strategies]
        for run in runs:
            run["problems"] = problems_of(read, str(run["name"]))
        comparisons = [comparison.model_dump() for comparison in read.comparisons]
        print(json.dumps({"runs": runs, "comparisons": comparisons}, ensure_ascii=False))
    else:
        show_table(read)
    warn(read)
    return 0
