"""Draws of another run: none is lost, whether that run is at rest, under way, or resumed meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.journal.opening import lock, open_read_only
from branchwise.orchestrator.journal.store import Journal
from tests.journal.test_store import stored

EARLY, LATE, LATER = range(200), range(200, 2000), range(2000, 2200)


def key(number: int) -> bytes:
    return (number * 7919).to_bytes(16, "big")


def write(journal: Journal, numbers: range) -> None:
    for number in numbers:
        journal.record(stored(key(number), prompt="why? " * 100))


def finished(directory: Path, numbers: range = EARLY) -> Path:
    journal = Journal(directory)
    write(journal, numbers)
    journal.close()
    return directory


def missing(journal: Journal, *numbers: range) -> int:
    return sum(journal.find(key(number)) is None for some in numbers for number in some)


def test_a_run_is_not_resumed_while_its_draws_are_taken_over_and_then_it_is(tmp_path: Path) -> None:
    source = finished(tmp_path / "a")
    taking = Journal(None, reuse=(source,))
    assert taking.find(key(0)) is not None
    with pytest.raises(ConfigError, match=r"in use by another run, which takes its draws over \(--reuse\)"):
        Journal(source)
    assert missing(taking, EARLY) == 0
    taking.close()
    finished(source, LATE)
    again = Journal(None, reuse=(source,))
    assert missing(again, EARLY, LATE) == 0
    again.close()


def test_many_runs_take_draws_over_from_one_at_once_and_it_is_reported_meanwhile(tmp_path: Path) -> None:
    source = finished(tmp_path / "a")
    many = [Journal(tmp_path / name, reuse=(source,)) for name in "bcd"]
    assert [missing(one, EARLY) for one in many] == [0, 0, 0]
    looking = open_read_only(source)
    assert looking.execute("SELECT count(*) FROM draws").fetchone() == (len(EARLY),)
    looking.close()
    for one in many:
        one.close()
    assert sorted(path.name for path in source.iterdir()) == ["journal.sqlite", "lock"]


def test_a_run_under_way_is_read_as_it_grows_ends_and_is_resumed(tmp_path: Path) -> None:
    source = Journal(tmp_path / "a")
    write(source, EARLY)
    taking = Journal(None, reuse=(tmp_path / "a",))
    assert missing(taking, EARLY) == 0
    write(source, LATE)
    assert missing(taking, LATE) == 0
    source.close()
    finished(tmp_path / "a", LATER)
    fresh = Journal(None, reuse=(tmp_path / "a",))
    assert (missing(taking, LATER), missing(fresh, EARLY, LATE, LATER)) == (0, 0)
    fresh.close()
    taking.close()


def test_a_run_that_is_just_being_resumed_is_not_taken_to_be_at_rest(tmp_path: Path) -> None:
    source = finished(tmp_path / "a")
    resuming = lock(source)
    taking = Journal(None, reuse=(source,))
    resuming.close()
    finished(source, LATE)
    assert missing(taking, EARLY, LATE) == 0
    taking.close()


def test_a_copy_without_a_lock_is_taken_over(tmp_path: Path) -> None:
    source = finished(tmp_path / "a")
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(source / "journal.sqlite", copy)
    taking = Journal(None, reuse=(copy,))
    assert missing(taking, EARLY) == 0
    taking.close()


def test_a_run_that_can_t_begin_lets_go_of_those_it_would_have_reused(tmp_path: Path) -> None:
    source = finished(tmp_path / "a")
    with pytest.raises(ConfigError, match="it is not a run directory") as refused:
        Journal(tmp_path / "b", reuse=(source, tmp_path / "none"))
    finished(source, LATE)
    finished(tmp_path / "b")
    del refused
