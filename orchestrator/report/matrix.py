"""Matrix: a suite's part as markdown, a row a strategy and a column a variant (a reward, say) or a size.

1. Accuracy, right of graded, with Wilson's 95 % interval.
2. Tokens drawn on a problem: the policy's, and those of all other roles.
3. For each baseline what a strategy gains on it, in points, with Tango's 95 % interval over the same problems: it
   ``pays`` if the interval lies above zero, and ``costs`` if below. A comparison at policy tokens that differ by more
   than ``EQUAL`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from branchwise.orchestrator.report.data import Comparison, Report, Strategy
from branchwise.orchestrator.report.terminal import escaped, notes, printable

EQUAL = 0.03
POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands, and which strategy it is of."""

    row: str
    column: str
    strategy: str


def matrix(report: Report, places: Mapping[str, Place]) -> str:
    """What was run, the matrices, the notes. KeyError for a run without a place."""
    runs = {one.name: one for one in report.strategies}
    lines = [f"### {_named(report.title)}", "", _done(report)]
    lines += _table("Accuracy", {places[name]: _accuracy(one) for name, one in runs.items()})
    lines += _table(
        "Tokens drawn on a problem (policy + others)", {places[name]: _tokens(one) for name, one in runs.items()}
    )
    for baseline in dict.fromkeys(places[one.second].strategy for one in report.comparisons):
        against = [one for one in report.comparisons if places[one.second].strategy == baseline]
        lines += _table(f"Points gained on {baseline}", {places[one.first]: _gain(one) for one in against})
    said = [f"- {escaped(note)}" for note in notes(report)]
    return "\n".join([*lines, *([""] if said else []), *said]) + "\n"


def verdict(comparison: Comparison) -> str:
    """What a paired difference says: pays, costs, or that none was shown."""
    interval = comparison.interval
    if interval is None or interval.low <= 0 <= interval.high:
        return "no difference"
    return "pays" if interval.low > 0 else "costs"


def _done(report: Report) -> str:
    problems = max(one.attempted for one in report.strategies)
    version = _named(report.branchwise_version)
    return f"{_code(report.command)}: {problems:,} problems of {_code(report.task)}, Branchwise {version}."


def _table(title: str, cells: Mapping[Place, str]) -> Iterator[str]:
    shown = {(place.row, place.column): cell for place, cell in cells.items()}
    columns = list(dict.fromkeys(column for _, column in shown))
    yield from ("", f"{_named(title)}:", "")
    yield _line(["strategy", *map(_named, columns)])
    yield _line(["---", *("---:" for _ in columns)])
    for row in dict.fromkeys(row for row, _ in shown):
        yield _line([_named(row), *(shown.get((row, column), "") for column in columns)])


def _named(name: str) -> str:
    return escaped(printable(name))


def _code(text: str) -> str:
    return f"`{printable(text).replace('`', chr(39))}`"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _accuracy(one: Strategy) -> str:
    if one.accuracy is None or one.interval is None:
        return "-"
    return f"{100 * one.accuracy:.1f} % ({100 * one.interval.low:.1f} to {100 * one.interval.high:.1f})"


def _tokens(one: Strategy) -> str:
    everything = sum(tokens.drawn.completion for tokens in one.tokens)
    others = everything - _policy(one)
    return " + ".join(f"{count / max(1, one.attempted):,.0f}" for count in (_policy(one), others) if count)


def _gain(comparison: Comparison) -> str:
    if comparison.difference is None or comparison.interval is None:
        return "-"
    low, high, tokens = comparison.interval.low, comparison.interval.high, comparison.tokens
    points = f"{100 * comparison.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) {verdict(comparison)}"
    if tokens is None or abs(tokens - 1) <= EQUAL:
        return points
    return f"{points}, at {100 * tokens:.0f} % of its tokens"


def _policy(one: Strategy) -> int:
    return sum(tokens.drawn.completion for tokens in one.tokens if tokens.role == POLICY)
