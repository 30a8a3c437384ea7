"""How a run ends for its user: the table, or one JSON object; and the page beside the journal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from branchwise.orchestrator.commands.reporting import read_report, show_table, warn, write_page
from branchwise.orchestrator.commands.summary import summary_of

PAGE = "report.html"


def finish(directory: Path, *, as_json: bool) -> int:
    """Show the result of a finished run, read from its journal. Returns the exit code."""
    report = read_report([directory])
    page = directory / PAGE
    try:
        write_page(report, page)
        said = f"Report: {page}"
    except OSError as error:  # the result stands in the journal; a page can be made of it at any time
        said = f"{page} could not be written: {error.strerror or error}"
    if as_json:
        print(json.dumps(summary_of(report, report.strategies[0]), ensure_ascii=False))
    else:
        show_table(report)
    warn(report)
    print(said, file=sys.stderr)
    return 0
