"""The journal: one SQLite file a run, the write-ahead record of every draw, decision and result.

1. Rows are queued and written in one transaction at the next turn of the event loop, a table's in order: no timer.
2. A call is in flight until its row is committed; after ``kill -9`` those calls, and no others, are paid again.
3. One writer: a lock file names the process that holds the run directory.

WAL with ``synchronous=NORMAL`` is safe against ``kill -9`` but not against loss of power; ``full`` is. A disk
that fills stops the run (JournalError) with everything committed so far kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from branchwise.orchestrator.core.draws import StoredDraw
from branchwise.orchestrator.core.errors import JournalError
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.journal.draw_rows import RECORD, draw_json, read_draw, storable
from branchwise.orchestrator.journal.opening import Durability, lock, open_for_writing, open_read_only, open_to_reuse


class Journal:
    """The open journal of a run directory. ``reuse`` are other runs whose draws may be taken over.

    Such a run can't be resumed meanwhile, unless it is under way already.

    ``content=False`` keeps counts, keys and verdicts but no text: nothing can be replayed from it, and a problem
    that was not finished is begun again on resume.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        durability: Durability = "normal",
        content: bool = True,
        reuse: tuple[Path, ...] = (),
        replay_only: bool = False,
    ) -> None:
        self.directory = directory
        self.content = content
        self.replay_only = replay_only
        self.failure: JournalError | None = None
        self.on_failure: Callable[[], object] = lambda: None
        self._queue: dict[str, list[tuple[object, ...]]] = {}
        self._unwritten: dict[bytes, StoredDraw] = {}
        self._scheduled = False
        with ExitStack() as held:
            if directory is not None:
                held.enter_context(lock(directory))
            self._db = held.enter_context(closing(open_for_writing(directory, durability)))
            self._others = [held.enter_context(closing(open_to_reuse(other))) for other in reuse]
            self._held = held.pop_all()
        self._base_seconds = float(self.get("elapsed_seconds") or 0.0)
        self._base_seconds = max(self._base_seconds, self._last_row_seconds())
        self._started = time.monotonic()

    # -- time --------------------------------------------------------------------------------------------

    def elapsed_seconds(self) -> float:
        """Seconds that this run has been running, over all resumes; the time in between does not count."""
        return self._base_seconds + time.monotonic() - self._started

    def _last_row_seconds(self) -> float:
        row = self._db.execute("SELECT max(at) FROM (SELECT max(at) AS at FROM draws UNION ALL "
                               "SELECT max(at) FROM decisions)").fetchone()  # fmt: skip
        return float(row[0] or 0.0)

    # -- meta --------------------------------------------------------------------------------------------

    def get(self, key: str) -> str | None:
        """A fact about the run, such as its plan."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Record a fact about the run."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # -- draws -------------------------------------------------------------------------------------------

    def find(self, key: bytes) -> StoredDraw | None:
        """The draw with this key: of this run, or taken over from a run named in ``reuse``."""
        stored = self._unwritten.get(key) or read_draw(self._db, key)
        if stored is not None:
            return stored
        for other in self._others:
            found = read_draw(other, key)
            if found is not None and found.state == "ok":
                taken = found.as_reused()
                self.record(taken)
                return taken
        return None

    def record(self, stored: StoredDraw) -> None:
        """Put a draw's terminal state on record; what was paid for it before stays paid."""
        self._unwritten[stored.key] = stored
        prompt = None
        if self.content and stored.prompt:
            prompt = hashlib.blake2b(stored.prompt.encode("utf-8", "surrogatepass"), digest_size=12).digest()
            self._write("INSERT OR IGNORE INTO texts VALUES (?, ?)", (prompt, storable(stored.prompt)))
        paid = stored.paid
        self._write(
            RECORD,
            (
                stored.key, stored.state, stored.role, stored.problem_id, stored.node, stored.model, prompt,
                draw_json(stored) if self.content else None, storable(stored.error or "") or None, stored.overflow,
                paid.prompt_tokens, paid.completion_tokens, paid.calls, paid.money, paid.exact,
                stored.reused, stored.seconds, self.elapsed_seconds(),
            ),
        )  # fmt: skip

    def paid_by_role(self) -> list[tuple[str, str, Usage]]:
        """What was spent according to the rows: (problem id, role, usage)."""
        rows = self._db.execute(
            "SELECT problem, role, sum(prompt_tokens), sum(completion_tokens), sum(calls), sum(money), min(exact) "
            "FROM draws WHERE NOT reused GROUP BY problem, role"
        )
        return [(p, r, Usage(a, b, calls=c, money=m, exact=bool(x))) for p, r, a, b, c, m, x in rows]

    # -- decisions and results ---------------------------------------------------------------------------

    def decisions(self, problem_id: str, node: str) -> list[tuple[str, str]]:
        """The decisions of one search on one problem, in order: (kind, JSON)."""
        self.flush()
        return list(
            self._db.execute(
                "SELECT kind, payload FROM decisions WHERE problem = ? AND node = ? ORDER BY seq",
                (problem_id, node),
            )
        )

    def decisions_of(self, problem_id: str) -> dict[str, list[tuple[str, str]]]:
        """The decisions of all searches on one problem, by workflow node."""
        self.flush()
        return decisions_in(self._db, problem_id)

    def write_decision(self, problem_id: str, node: str, seq: int, kind: str, payload: str) -> None:
        """Record decision number ``seq``; without content none is kept, since decisions hold what was written."""
        if not self.content:
            return
        self._write(
            "INSERT INTO decisions VALUES (?,?,?,?,?,?)",
            (problem_id, node, seq, kind, storable(payload), self.elapsed_seconds()),
        )

    def searches(self) -> list[tuple[str, str]]:
        """Every (problem id, node) that has decisions."""
        return list(self._db.execute("SELECT DISTINCT problem, node FROM decisions ORDER BY rowid"))

    def first_seconds(self, problem_id: str) -> float | None:
        """When the problem was started, in the run's elapsed seconds; None if it was not."""
        row = self._db.execute("SELECT at FROM problems WHERE problem = ?", (problem_id,)).fetchone()
        return None if row is None else float(row[0])

    def write_start(self, problem_id: str, payload: str) -> None:
        """Record that a problem was started now; ``payload`` is its public half as JSON."""
        values = (problem_id, storable(payload), self.elapsed_seconds())
        self._write("INSERT OR IGNORE INTO problems VALUES (?, ?, ?)", values)

    def problems(self) -> Iterator[tuple[str, str]]:
        """(problem id, public half as JSON) of every problem that was started."""
        self.flush()
        yield from self._db.execute("SELECT problem, payload FROM problems ORDER BY at")

    def write_result(self, problem_id: str, payload: str) -> None:
        """Record a problem's final result (JSON)."""
        self._write(
            "INSERT OR REPLACE INTO results VALUES (?,?,?)",
            (problem_id, storable(payload), self.elapsed_seconds()),
        )

    def results(self) -> Iterator[tuple[str, str]]:
        """(problem id, JSON) of every finished problem, in the order in which they finished."""
        self.flush()
        yield from self._db.execute("SELECT problem, payload FROM results ORDER BY at, rowid")

    def finished(self) -> set[str]:
        """Ids of the problems with a result."""
        self.flush()
        return {row[0] for row in self._db.execute("SELECT problem FROM results")}

    # -- writing -----------------------------------------------------------------------------------------

    def _write(self, sql: str, values: tuple[object, ...]) -> None:
        if self.failure is not None:
            raise self.failure
        self._queue.setdefault(sql, []).append(values)
        if self._scheduled:
            return
        try:
            asyncio.get_running_loop().call_soon(self._flush_quietly)
            self._scheduled = True
        except RuntimeError:  # no loop: a caller outside asyncio, who may wait
            self.flush()

    def _flush_quietly(self) -> None:
        self._scheduled = False
        with suppress(JournalError):  # kept in self.failure; on_failure stops the run
            self.flush()

    def flush(self) -> None:
        """Write what is queued in one transaction. JournalError where the disk refuses."""
        if self.failure is not None:
            raise self.failure
        if not self._queue:
            return
        queue, self._queue = self._queue, {}
        try:
            self._db.execute("BEGIN")
            for sql, rows in queue.items():
                self._db.executemany(sql, rows)
            self._db.execute("COMMIT")
        except (sqlite3.Error, OverflowError, UnicodeError) as error:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            self.failure = JournalError(
                f"the journal in {self.directory} can't be written ({error}); everything before this is kept: "
                "make room on the disk and run `branchwise resume`"
            )
            self.on_failure()
            raise self.failure from error
        self._unwritten.clear()

    def close(self) -> None:
        """Write what is queued, note the elapsed time and let go of the run directory."""
        try:
            if self.failure is None:
                self.put("elapsed_seconds", repr(self.elapsed_seconds()))
                self.flush()
        finally:
            self._held.close()


def read_decisions(directory: Path, problem_id: str) -> dict[str, list[tuple[str, str]]]:
    """The decisions of all searches on one problem, from a run directory, also while it runs."""
    db = open_read_only(directory)
    try:
        return decisions_in(db, problem_id)
    finally:
        db.close()


def decisions_in(db: sqlite3.Connection, problem_id: str) -> dict[str, list[tuple[str, str]]]:
    """The decisions of all searches on one problem, by workflow node, from an open journal."""
    found: dict[str, list[tuple[str, str]]] = {}
    rows = db.execute("SELECT node, kind, payload FROM decisions WHERE problem = ? ORDER BY rowid", (problem_id,))
    for node, kind, payload in rows:
        found.setdefault(node, []).append((kind, payload))
    return found
