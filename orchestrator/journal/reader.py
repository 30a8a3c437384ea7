"""Recorded: a run read from its journal alone, also while it is being written. Nothing here writes.

Reports, exports and comparisons are made of this: no model, no task and no workflow is needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from branchwise.orchestrator.core.decisions import Decision
from branchwise.orchestrator.core.errors import ConfigError, JournalError
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.record import SearchRecord
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.journal.decisions import DecisionLog
from branchwise.orchestrator.journal.manifest import Manifest
from branchwise.orchestrator.journal.opening import open_read_only
from branchwise.orchestrator.journal.results import problem_from, result_from
from branchwise.orchestrator.journal.store import decisions_in

NEWEST_ROW = "SELECT max(at) FROM (SELECT max(at) AS at FROM draws UNION ALL SELECT max(at) FROM decisions)"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An open journal. The methods ask it anew each time."""

    directory: Path
    manifest: Manifest
    _db: sqlite3.Connection

    def problems(self) -> list[Problem]:
        """The public half of every problem that was started, in that order."""
        rows = self._db.execute("SELECT problem, payload FROM problems ORDER BY at, problem")
        return [problem_from(problem_id, payload) for problem_id, payload in rows]

    def results(self) -> list[Result]:
        """Every result, in the order in which problems were finished."""
        problems = {problem.id: problem for problem in self.problems()}
        rows = self._db.execute("SELECT problem, payload FROM results ORDER BY at, rowid")
        return [result_from(problems.get(name) or Problem(name, ()), payload) for name, payload in rows]

    def paid(self) -> dict[str, Usage]:
        """What was really sent in this run, failed and cancelled calls included, by role."""
        rows = self._db.execute(
            "SELECT role, sum(prompt_tokens), sum(completion_tokens), sum(calls), sum(money), min(exact) "
            "FROM draws WHERE NOT reused GROUP BY role"
        )
        return {role: Usage(p, c, calls=n, money=m, exact=bool(exact)) for role, p, c, n, m, exact in rows}

    def seconds(self) -> float:
        """How long the run has been running, over all resumes."""
        closed = self._db.execute("SELECT value FROM meta WHERE key = 'elapsed_seconds'").fetchone()
        return max(float(closed[0]) if closed else 0.0, float(self._db.execute(NEWEST_ROW).fetchone()[0] or 0.0))

    def searches(self, problem: Problem) -> list[SearchRecord]:
        """The searches on one problem."""
        root = Trajectory(problem)
        return [
            SearchRecord(node, root, tuple(_decoded(root, rows)))
            for node, rows in decisions_in(self._db, problem.id).items()
        ]


@contextmanager
def recorded(directory: Path) -> Iterator[Recorded]:
    """Open a run directory's journal for reading. ConfigError where it is none, JournalError where it breaks."""
    db = open_read_only(directory)
    try:
        row = db.execute("SELECT value FROM meta WHERE key = 'manifest'").fetchone()
        if row is None:
            raise ConfigError(f"{directory}: nothing was run here yet, its journal has no manifest")
        yield Recorded(directory, Manifest.model_validate_json(row[0]), db)
    except sqlite3.Error as error:
        raise JournalError(f"the journal in {directory} can't be read: {error}") from error
    finally:
        db.close()


def _decoded(root: Trajectory, rows: list[tuple[str, str]]) -> list[Decision]:
    return DecisionLog(root, lambda seq, kind, payload: None, rows).replay()
