"""The journal: what is on record stays, one writer, full disks, newer files, texts switched off."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.backends.stack import stacked
from branchwise.orchestrator.core.draws import StoredDraw
from branchwise.orchestrator.core.errors import ConfigError, JournalError
from branchwise.orchestrator.core.message import ToolCall
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.journal.draw_rows import draw_json
from branchwise.orchestrator.journal.schema import SCHEMA_VERSION
from branchwise.orchestrator.journal.store import Journal

DRAW = Draw(
    "a step\n", "stop", Usage(3, 2, 1, 0, 1, 0.5, False), "\n", "m", (TokenLogprob("a", -0.5, (("b", -1.0),)),)
)


def stored(key: bytes = b"k" * 16, draw: Draw | None = DRAW, prompt: str = "why?") -> StoredDraw:
    return StoredDraw(
        key, "ok", "policy", "p1", "search", "m", Usage(3, 2, calls=2, money=0.5), 0.1, draw, prompt=prompt
    )


def test_a_draw_comes_back_as_it_was_also_before_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.record(stored())
    assert journal.find(b"k" * 16) is not None
    journal.close()
    again = Journal(tmp_path)
    found = again.find(b"k" * 16)
    assert found is not None
    assert found.draw == DRAW
    assert found.paid == Usage(3, 2, calls=2, money=0.5)
    assert again.find(b"x" * 16) is None
    assert again.paid_by_role() == [("p1", "policy", Usage(3, 2, calls=2, money=0.5))]
    again.close()


def test_what_was_paid_for_a_draw_before_stays_paid(tmp_path: Path) -> None:
    paid = Usage(3, 2, calls=2, money=0.5)
    journal = Journal(tmp_path)
    for state, reused in (("cancelled", False), ("ok", False), ("ok", True)):
        journal.record(replace(stored(), state=state, reused=reused))  # type: ignore[arg-type]
    journal.flush()
    assert journal.paid_by_role() == [("p1", "policy", paid + paid)]
    for reused in (True, False):
        journal.record(replace(stored(b"x" * 16), reused=reused))
    journal.close()
    again = Journal(tmp_path)
    assert again.paid_by_role() == [("p1", "policy", paid + paid + paid)]
    again.close()


async def test_without_texts_equal_draws_are_made_again_and_paid_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, content=False)
    raw = ScriptedBackend(lambda request, seed: "text")
    model = stacked(raw, journal)
    for _ in range(3):
        await model.generate(Request(prompt="p", seed=1))
        journal.flush()
    assert raw.calls == 3
    assert [paid.calls for _, _, paid in journal.paid_by_role()] == [3]
    journal.close()


FULL = Draw(
    "", "stop", Usage(3, 2), "\n", "m", (TokenLogprob("a", -0.5, (("b", -1.0),)),), ((-0.25,), (3.0,)),
    (TokenLogprob("p", -2.0),), (5, 6), (1, 2), (ToolCall("c1", "add", "{}"),),
)  # fmt: skip


def test_what_few_draws_have_comes_back_and_others_are_written_as_ever(tmp_path: Path) -> None:
    assert draw_json(stored()) == '["a step\\n","stop",[3,2,1,0,1,0.5,false],"\\n","m",[["a",-0.5,[["b",-1.0]]]]]'
    journal = Journal(tmp_path)
    journal.record(stored(draw=FULL))
    journal.close()
    again = Journal(tmp_path)
    found = again.find(b"k" * 16)
    assert found is not None
    assert found.draw == FULL
    again.close()


async def test_rows_of_one_turn_are_one_transaction_and_seen_at_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    other = sqlite3.connect(tmp_path / "journal.sqlite")
    for number in range(100):
        journal.record(stored(bytes([number]) * 16))
    assert journal.find(bytes([7]) * 16) is not None
    assert other.execute("SELECT count(*) FROM draws").fetchone() == (0,)
    journal.flush()
    assert other.execute("SELECT count(*) FROM draws").fetchone() == (100,)
    other.close()
    journal.close()


def test_draws_of_another_run_are_taken_over_and_cost_nothing_here(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a")
    first.record(stored())
    first.close()
    second = Journal(tmp_path / "b", reuse=(tmp_path / "a",))
    found = second.find(b"k" * 16)
    assert found is not None
    assert (found.reused, found.paid) == (True, NOTHING)
    assert second.paid_by_role() == []
    second.close()
    third = Journal(tmp_path / "b")
    assert third.find(b"k" * 16) is not None
    third.close()


def test_one_writer_and_its_name(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(ConfigError, match=r"in use by process \d+"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(ConfigError, match="newer Branchwise"):
        Journal(tmp_path)


def test_a_full_disk_stops_with_what_was_written_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.record(stored())
    told: list[bool] = []
    journal.on_failure = lambda: told.append(True)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite answers as it does when the disk is full
    with pytest.raises(JournalError, match="branchwise resume"):
        for number in range(1000):
            journal.record(stored(number.to_bytes(16, "big"), prompt="long " * 1000))
    assert told == [True]
    with pytest.raises(JournalError):
        journal.record(stored())
    journal.close()
    again = Journal(tmp_path)
    assert again.find(b"k" * 16) is not None
    again.close()


def test_without_content_counts_stay_and_texts_do_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path, content=False)
    journal.record(stored(prompt="a secret question"))
    journal.close()
    assert b"secret question" not in (tmp_path / "journal.sqlite").read_bytes()
    assert b"a step" not in (tmp_path / "journal.sqlite").read_bytes()
    again = Journal(tmp_path, content=False)
    assert again.find(b"k" * 16) is None
    assert again.paid_by_role()[0][2].calls == 2
    again.close()


def test_hostile_text_can_be_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.record(stored(draw=Draw("\ud800 \x00 ' ; DROP TABLE draws", "end", NOTHING), prompt="\udfff"))
    journal.close()
    again = Journal(tmp_path)
    found = again.find(b"k" * 16)
    assert found is not None
    assert found.draw is not None
    assert found.draw.text.endswith("DROP TABLE draws")
    again.close()


def test_elapsed_time_adds_up_over_resumes_without_the_time_in_between(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal._base_seconds = 100.0
    journal.close()
    again = Journal(tmp_path)
    assert 100.0 <= again.elapsed_seconds() < 130.0
    again.close()
