"""Graded answers: right or wrong as the task says, which may know answers to be equal that are written otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from branchwise.orchestrator import api
from branchwise.orchestrator.core.expansion import Answer, Candidate
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.evaluation.graded import graded_answers, is_correct
from branchwise.orchestrator.journal.reader import recorded
from branchwise.tasks.math import Options, build

ANSWERS = {r"\sqrt{8}": 0.9, "3": 0.95, r"2\sqrt{2}": 0.2}


def chance(trajectory: Trajectory) -> float:
    return next(value for answer, value in ANSWERS.items() if answer in trajectory.text)


def test_answers_that_are_equal_as_mathematics_are_right(tmp_path: Path) -> None:
    pytest.importorskip("math_verify")
    rows = [{"unique_id": f"q{k}", "problem": f"Diagonal {k}?", "answer": r"2\sqrt{2}"} for k in range(4)]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    workflow = {
        "version": 1,
        "models": {"m": {"kind": "scripted", "answers": [rf"It is \boxed{{{answer}}}." for answer in ANSWERS]}},
        "nodes": {
            "search": {
                "kind": "search",
                "algorithm": {"kind": "best_of_n", "n": 8},
                "policy": {"kind": "solver", "model": "m"},
                "reward": {"kind": "rule", "callable": f"{__name__}:chance"},
            }
        },
    }
    api.solve_batch_sync(build(Options(path=tmp_path / "p.jsonl")), workflow, out=tmp_path / "run")
    with recorded(tmp_path / "run") as journal:
        sample = graded_answers(journal)
    assert {(each.value, each.correct) for each in sample.answers} == {(0.9, True), (0.95, False), (0.2, True)}
    assert sample.left_out == 0


def finished(text: str, form: str) -> Candidate:
    return Candidate(Trajectory(problem("?"), (Step(text),)), answer=Answer(text, form))


@pytest.mark.parametrize(
    ("form", "given", "grade", "correct"),
    [
        ("a", "a", Grade(1.0, "A"), True),
        ("a", "a", Grade(0.5), False),
        ("a", "b", Grade(0.0, "A"), True),
        ("root", "b", Grade(0.0, "A", canonical="root"), True),
        ("a", "b", Grade(0.0, "A", canonical="root"), False),
        ("a", "b", Grade(1.0), None),
        ("a", "a", Grade(None, "A"), None),
        ("a", "a", None, None),
    ],
)
def test_what_is_known_of_an_answer(form: str, given: str, grade: Grade | None, correct: bool | None) -> None:
    result = Result("p", "the answer", StopReason.ANSWERED, grade=grade)
    assert is_correct(finished("other", form), result, given) is correct
    assert is_correct(Candidate(Trajectory(problem("?"))), result, given) is False
