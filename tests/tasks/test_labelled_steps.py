"""Files of solutions whose first wrong step is marked."""

import json
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.tasks.labelled_steps import LabelledSolution, read_solutions

WRONG = {"problem": "1+1+1?", "steps": ["1+1=3", "3+1=4"], "label": 0}
RIGHT = {"id": "own", "problem": "1+1?", "steps": ["1+1=2"], "label": -1, "generator": "somebody"}


def read(folder: Path, *rows: Any) -> list[LabelledSolution]:
    path = folder / "steps.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_solutions(path).rows


def test_rows_are_solutions(tmp_path: Path) -> None:
    wrong, right = read(tmp_path, WRONG, RIGHT)
    assert wrong == LabelledSolution("steps-1", "1+1+1?", ("1+1=3", "3+1=4"), 0)
    assert (right.id, right.first_error) == ("own", None)


def test_a_solution_is_what_a_policy_would_have_written(tmp_path: Path) -> None:
    (wrong,) = read(tmp_path, WRONG)
    trajectory = wrong.trajectory("\n\n")
    assert trajectory.text == "1+1=3\n\n3+1=4"
    assert [step.text for step in trajectory.steps] == ["1+1=3\n\n", "3+1=4"]
    assert (trajectory.problem.id, trajectory.problem.text) == ("steps-1", "1+1+1?")
    assert trajectory.stop is StopReason.ANSWERED


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"problem": " "}, r"steps\.jsonl:1: problem must be text and not empty"),
        ({"problem": None}, r":1: no key 'problem'; found label, problem, steps"),
        ({"steps": []}, r":1: steps must be a list of texts"),
        ({"steps": "1+1=2"}, r":1: steps must be a list of texts"),
        ({"steps": ["1+1=2", ""]}, r":1: steps must be a list of texts, none of them empty"),
        ({"label": 2}, r":1: label must be a step from 0 to 1, or -1 for none, not 2"),
        ({"label": -2}, r":1: label must be a step"),
        ({"label": True}, r":1: label must be a step"),
        ({"label": "0"}, r":1: label must be a step from 0 to 1, or -1 for none, not '0'"),
    ],
)
def test_errors_name_file_line_and_key(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, WRONG | changed)
