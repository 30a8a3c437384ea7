"""ALFWorld on its real engine: one game solved by MCTS with the outcome as its reward, killed on the way and resumed.

Needs the extra `alfworld`; ``make test-alfworld`` builds it and runs this with the laws of worlds, none skipped.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from branchwise.orchestrator.core.decisions import Asked, Told
from branchwise.orchestrator.core.result import Result
from tests.stories.household import IN_FLIGHT, MCTS, play
from tests.stories.kill_moments import read

pytestmark = [pytest.mark.live, pytest.mark.alfworld, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The whole run, in one piece."""
    directory = tmp_path_factory.mktemp("undisturbed")
    return directory, play(str(directory))


def decided(directory: Path) -> int:
    """Decisions on record so far."""
    file = directory / "journal.sqlite"
    if not file.exists():
        return 0
    try:
        with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM decisions").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return 0


def killed_at(directory: Path, decisions: int) -> int:
    """Start or go on, kill -9 once so many decisions are on record; how many there are then."""
    run = subprocess.Popen([sys.executable, "-m", "tests.stories.household", str(directory)])
    while run.poll() is None and decided(directory) < decisions:
        time.sleep(0.01)
    run.kill()
    run.wait()
    return decided(directory)


def test_the_game_is_won_and_the_win_is_checked_by_playing_it_again(undisturbed: tuple[Path, Result]) -> None:
    _, result = undisturbed
    assert result.answer is not None
    assert result.grade is not None
    assert result.grade.correct == 1.0
    assert result.answer.split("; ")[-1].startswith("use desklamp")


def test_eight_leaves_are_under_way_and_no_expansion_is_lost(undisturbed: tuple[Path, Result]) -> None:
    _, result = undisturbed
    assert result.record is not None
    (search,) = result.record()
    out, most, told = set[int](), 0, list[bool]()
    for decision in search.decisions:
        if isinstance(decision, Asked):
            out |= {expansion.ticket for expansion in decision.expansions}
            most = max(most, len(out))
        elif isinstance(decision, Told):
            out.remove(decision.outcome.ticket)
            told.append(len(decision.outcome.candidates) == MCTS["children"])
    assert most >= IN_FLIGHT
    assert not out
    assert sum(told) == MCTS["iterations"]


def test_killed_in_the_middle_it_goes_on_to_the_same_tree(undisturbed: tuple[Path, Result], tmp_path: Path) -> None:
    whole, _ = undisturbed
    expected, decisions = read(whole), decided(whole)
    for share in (0.25, 0.6):
        assert killed_at(tmp_path, int(share * decisions)) < decisions
    play(str(tmp_path))
    assert read(tmp_path) == expected
