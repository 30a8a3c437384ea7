"""The table in the terminal, as plain text and as markdown."""

import io

from rich.console import Console

from branchwise.orchestrator.report.terminal import comparisons, grid, markdown, plain, printable, rich_table, show
from tests.report.sample import hostile, realistic


def test_every_strategy_has_its_numbers() -> None:
    report = realistic(problems=20)
    table = grid(report)
    assert [row[0] for row in table.rows] == [one.name for one in report.strategies]
    first, one = table.rows[0], report.strategies[0]
    assert one.accuracy is not None
    assert first[2] == f"{100 * one.accuracy:.1f} %"
    assert first[4] == f"{one.correct}/{one.graded}/{one.attempted}"
    assert first[5] == f"{sum(role.drawn.completion for role in one.tokens) / one.attempted:,.0f}"


def test_estimated_tokens_are_marked() -> None:
    report = realistic(problems=20)
    for row, one in zip(grid(report).rows, report.strategies, strict=True):
        assert row[5].startswith("~") == any(not role.drawn.exact for role in one.tokens)


def test_plain_lines_up_and_keeps_the_notes() -> None:
    report = realistic(problems=20)
    lines = plain(report).splitlines()
    table = lines[2 : 4 + len(report.strategies)]
    assert len({len(line) for line in table}) == 1
    assert any("Invented numbers" in line for line in lines)
    assert any("run-level token budget" in line for line in lines)


def test_hostile_names_reach_no_terminal() -> None:
    for text in (plain(hostile()), markdown(hostile())):
        assert all(char.isprintable() or char == "\n" for char in text)


def test_markdown_is_one_table_whatever_the_names_hold() -> None:
    lines = [line for line in markdown(hostile()).splitlines() if line.startswith("| ")]
    bars = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in lines}
    assert len(lines) == 2 + len(hostile().strategies)
    assert len(bars) == 1
    assert not any("<script>" in line.replace("\\<", "") for line in lines)


def test_rich_shows_text_and_no_markup() -> None:
    report = realistic(problems=20)
    first = report.strategies[0].model_copy(update={"name": "[red]vote[/red]"})
    report = report.model_copy(update={"strategies": (first, *report.strategies[1:])})
    out = io.StringIO()
    Console(file=out, width=220).print(rich_table(report))
    assert "[red]vote[/red]" in out.getvalue()


def test_show_is_plain_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    show(realistic(problems=20), Console(file=out))
    assert out.getvalue() == plain(realistic(problems=20))


def test_show_leaves_out_columns_on_a_narrow_terminal() -> None:
    wide, narrow = (io.StringIO(), io.StringIO())
    for out, width in ((wide, 200), (narrow, 80)):
        show(realistic(problems=20), Console(file=out, width=width, force_terminal=True, color_system=None))
    assert "verifier/problem" in wide.getvalue()
    assert "verifier/problem" not in narrow.getvalue()
    assert max(map(len, narrow.getvalue().splitlines())) <= 80


def test_printable_keeps_words_and_drops_steering() -> None:
    assert printable("a\nb\x1b[31m\u202ec é 漢") == "a b\ufffd[31m\ufffdc é 漢"


def test_paired_differences_stand_below_the_table() -> None:
    report = realistic(problems=20)
    assert report.comparisons
    for one, line in zip(report.comparisons, comparisons(report), strict=True):
        assert line.startswith(f"{one.first} - {one.second}: ")
        assert one.difference is None or f"{100 * one.difference:+.1f} points" in line
        assert line in plain(report)
