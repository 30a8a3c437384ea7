"""Results on record: a Result as JSON and back."""

from __future__ import annotations

import json
from typing import Any

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.journal.decisions import usage_rows, usages


def result_json(result: Result, content: bool = True) -> str:
    """A result as JSON text; without ``content`` no text of the model is kept."""
    t = result.trajectory if content else None
    row = {
        "answer": result.answer if content else None,
        "stop": result.stop,
        "value": result.value,
        "votes": result.votes if content else [],
        "drawn": usage_rows(result.drawn),
        "cancelled": usage_rows(result.cancelled),
        "failures": [[f.boundary, f.message] for f in result.failures],
        "judgements": result.judgements,
        "seconds": result.seconds,
        "grade": _grade_row(result.grade) if result.grade else None,
        "trajectory": [[_step_row(step) for step in t.steps], t.lineage, t.stop] if t else None,
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def result_from(problem: Problem, payload: str) -> Result:
    """The result on record for ``problem``."""
    row: dict[str, Any] = json.loads(payload)
    return Result(
        problem.id,
        row["answer"],
        StopReason(row["stop"]),
        _trajectory(problem, row["trajectory"]) if row["trajectory"] else None,
        row["value"],
        tuple((answer, weight) for answer, weight in row["votes"]),
        usages(row["drawn"]),
        usages(row["cancelled"]),
        tuple(Failure(*failure) for failure in row["failures"]),
        row["seconds"],
        _grade(*row["grade"]) if row["grade"] else None,
        row.get("judgements", 0),  # not on record before they were counted
    )


def problem_json(problem: Problem, content: bool = True) -> str:
    """A problem's public half as JSON text."""
    text = problem.text if content else ""
    return json.dumps({"text": text, "metadata": dict(problem.metadata), "tags": problem.tags}, ensure_ascii=False)


def problem_from(problem_id: str, payload: str) -> Problem:
    """A problem as far as it is on record: its last message and its metadata."""
    row: dict[str, Any] = json.loads(payload)
    return Problem(problem_id, (user(row["text"]),), row["metadata"], tuple(row["tags"]))


def _grade_row(grade: Grade) -> list[Any]:
    failure = [grade.failure.boundary, grade.failure.message] if grade.failure else None
    return [grade.correct, grade.expected, failure, grade.canonical]


def _grade(correct: float | None, expected: str | None, failure: Any = None, form: str | None = None) -> Grade:
    return Grade(correct, expected, Failure(*failure) if failure else None, form)


def _trajectory(problem: Problem, row: Any) -> Trajectory:
    steps, lineage, stop = row
    return Trajectory(
        problem,
        tuple(_step(*row) for row in steps),
        tuple(lineage),
        StopReason(stop) if stop else None,
    )


def _step_row(s: Step) -> list[Any]:
    world = [s.observation, s.action, s.reward] if s.action is not None else []
    return [s.text, s.score, *world]


def _step(
    text: str,
    score: float | None,
    observation: str | None = None,
    action: str | None = None,
    reward: float | None = None,
) -> Step:
    return Step(text, observation, score=score, action=action, reward=reward)
