"""The table of strategies for a terminal (rich), a file or pipe (plain text) and a README (markdown).

The numbers are those of the HTML page. Names may come from files that others wrote, so characters that steer a
terminal are replaced, and markup is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from branchwise.orchestrator.report.data import Report, Strategy

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NARROW = ("strategy", "reward", "accuracy", "95 %", "right/graded/all", "drawn/problem", "paid")
LEGEND = (
    "accuracy: right of graded, Wilson's 95 % interval. drawn: prompt and completion tokens of every call made "
    "use of, sent or found in the journal; paid: really sent in this run. ~ some tokens were estimated. "
    "oracle: the reward saw the answer key, so its accuracy is an upper bound and no result."
)


@dataclass(frozen=True, slots=True)
class Grid:
    """Headings and rows of cells; ``numeric`` columns are aligned to the right."""

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def grid(report: Report) -> Grid:
    """The table of strategies as text."""
    roles = tuple(dict.fromkeys(tokens.role for one in report.strategies for tokens in one.tokens))
    headings = (
        "strategy",
        "reward",
        "accuracy",
        "95 %",
        "right/graded/all",
        "drawn/problem",
        *(f"{role}/problem" for role in roles),
        "paid",
        "calls",
        "seconds",
    )
    rows = tuple(tuple(map(printable, _cells(one, roles))) for one in report.strategies)
    numeric = (False, False) + (True,) * (len(headings) - 2)
    return Grid(tuple(map(printable, headings)), numeric, rows)


def plain(report: Report) -> str:
    """The table in aligned columns, the notes, and what the words mean."""
    table = grid(report)
    lines = (table.headings, *table.rows)
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    drawn = ["  ".join(map(_aligned, line, widths, table.numeric)).rstrip() for line in lines]
    drawn.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([printable(report.title), "", *drawn, "", *notes(report), LEGEND]) + "\n"


def markdown(report: Report) -> str:
    """The table, the notes and what the words mean, as GitHub's markdown."""
    table = grid(report)
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    cells = [[_escaped(cell) for cell in line] for line in (table.headings, *table.rows)]
    lines = ["| " + " | ".join(line) + " |" for line in (cells[0], rule, *cells[1:])]
    points = [f"- {_escaped(note)}" for note in notes(report)]
    return (
        "\n".join([f"### {_escaped(printable(report.title))}", "", *lines, "", *points, "", _escaped(LEGEND)]) + "\n"
    )


def rich_table(report: Report, *, narrow: bool = False) -> Table:
    """The table for a rich console; a ``narrow`` one (80 columns) leaves out roles, calls and seconds."""
    from rich.table import Table
    from rich.text import Text

    table, shown = grid(report), Table(title=Text(printable(report.title)), caption=Text(LEGEND), box=None)
    kept = [i for i, heading in enumerate(table.headings) if not narrow or heading in NARROW]
    for i in kept:
        numeric = table.numeric[i]
        shown.add_column(Text(table.headings[i]), justify="right" if numeric else "left", no_wrap=numeric)
    for row in table.rows:
        shown.add_row(*(Text(row[i]) for i in kept))
    return shown


def show(report: Report, console: Console) -> None:
    """Print the table and the notes: with rich on a terminal, as plain text elsewhere."""
    if not console.is_terminal:
        console.file.write(plain(report))
        return
    console.print(rich_table(report, narrow=console.width < 140))
    for note in notes(report):
        console.print(note, markup=False, highlight=False)


def notes(report: Report) -> tuple[str, ...]:
    """What qualifies the numbers: the report's notes, and each strategy's under its name."""
    own = [f"Note: {note}" for note in report.notes]
    own += [f"Note, {one.name}: {note}" for one in report.strategies for note in one.notes]
    return tuple(map(printable, own))


def printable(text: str) -> str:
    """``text`` on one line, without control characters and without those that turn the writing direction."""
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in text)


def _cells(one: Strategy, roles: tuple[str, ...]) -> tuple[str, ...]:
    drawn = {tokens.role: tokens.drawn.tokens for tokens in one.tokens}
    mark = "" if all(tokens.drawn.exact for tokens in one.tokens) else "~"
    reward = one.reward_kind if not one.reward or one.reward_kind == "none" else f"{one.reward} ({one.reward_kind})"
    return (
        one.name,
        reward,
        "-" if one.accuracy is None else f"{100 * one.accuracy:.1f} %",
        "-" if one.interval is None else f"{100 * one.interval.low:.1f}-{100 * one.interval.high:.1f}",
        f"{one.correct}/{one.graded}/{one.attempted}",
        _mean(sum(drawn.values()), one, mark),
        *(_mean(drawn.get(role, 0), one, mark) for role in roles),
        f"{mark}{sum(tokens.paid.tokens for tokens in one.tokens):,}",
        f"{sum(tokens.drawn.calls for tokens in one.tokens):,}",
        "-" if one.seconds is None else f"{one.seconds:,.1f}",
    )


def _mean(tokens: int, one: Strategy, mark: str) -> str:
    return f"{mark}{tokens / one.attempted:,.0f}" if one.attempted else "-"


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _aligned(text: str, width: int, numeric: bool) -> str:
    padding = " " * (width - _width(text))
    return padding + text if numeric else text + padding


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#~" else char for char in text).replace("&", "&amp;")
