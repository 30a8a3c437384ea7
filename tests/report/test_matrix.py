"""A suite's part as markdown: a row a strategy, a column a size, and what each gains on a baseline."""

from __future__ import annotations

import re

import pytest

from branchwise.orchestrator.report.data import Comparison, Report
from branchwise.orchestrator.report.matrix import Place, matrix, verdict
from branchwise.orchestrator.report.shown import Interval
from tests.report.sample import hostile, realistic


def shown(report: Report) -> list[list[list[str]]]:
    """The tables by rows and cells, headings included, the ruler not."""
    places = {one.name: Place(one.family, f"N={one.samples}", one.family) for one in report.strategies}
    tables = [
        [line.strip("| ").split(" | ") for line in block.splitlines()]
        for block in matrix(report, places).split("\n\n")
    ]
    return [[row for row in table if not row[0].startswith("---")] for table in tables if len(table[0]) > 1]


def compared(low: float, high: float) -> Comparison:
    counts = {"both": 1, "only_first": 1, "only_second": 1, "neither": 1, "dropped": 0}
    interval = Interval(low=low, high=high)
    return Comparison(first="a", second="b", **counts, difference=(low + high) / 2, interval=interval, p_value=0.5)


def test_every_run_has_its_cell_in_each_table() -> None:
    report = realistic(problems=20)
    accuracy, tokens, *gains = shown(report)
    families = list(dict.fromkeys(one.family for one in report.strategies))
    for table in (accuracy, tokens):
        assert table[0] == ["strategy", "N=4", "N=8", "N=16"]
        assert [row[0] for row in table[1:]] == families
        assert all(row[1:] and all(row[1:]) for row in table[1:])
    first = report.strategies[0]
    assert first.accuracy is not None
    assert accuracy[1][1].startswith(f"{100 * first.accuracy:.1f} % (")
    drawn = {each.role: each.drawn.completion / first.attempted for each in first.tokens}
    assert tokens[1][1] == f"{drawn['policy']:,.0f}"
    assert len(gains) == len({one.second for one in report.comparisons} and {"majority vote"})


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.01, 0.2, "pays"), (-0.2, -0.01, "costs"), (-0.1, 0.2, "no difference")]
)
def test_what_a_difference_says(low: float, high: float, said: str) -> None:
    assert verdict(compared(low, high)) == said


@pytest.mark.parametrize(("tokens", "said"), [(1.02, ""), (1.1, ", at 110 % of its tokens"), (None, "")])
def test_unequal_tokens_are_told(tokens: float | None, said: str) -> None:
    report = realistic(problems=20)
    one = report.comparisons[0].model_copy(update={"tokens": tokens})
    (cell,) = shown(report.model_copy(update={"comparisons": (one,)}))[-1][1][1:]
    assert cell.endswith(verdict(one) + said)


def test_hostile_names_stay_in_their_cells() -> None:
    report = hostile()
    places = {one.name: Place(one.family, one.name, one.family) for one in report.strategies}
    text = matrix(report, places)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "<script>" not in re.sub(r"`[^`]*`", "", text).replace("\\<", "")
