"""`calibrate`: from graded runs to a curve that the reward `calibrated` applies, and what it refuses."""

import json
import re
from contextlib import chdir
from pathlib import Path

import pytest
import yaml

from branchwise.orchestrator.cli import main
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.evaluation.graded import graded_answers
from branchwise.orchestrator.journal.reader import recorded

QUESTIONS = 20
ANSWERS = ["The answer is 4.", "The answer is 5, surely.", "The answer is 4, I think.", "I do not know."]


def confident(trajectory: Trajectory) -> float:
    """Too sure of everything."""
    return 0.95 if "answer is 4" in trajectory.text else 0.9


def perverse(trajectory: Trajectory) -> float:
    """The surer, the more wrong."""
    return 1 - confident(trajectory)


def mute(trajectory: Trajectory) -> float:
    """The same of everything."""
    return 0.7


def plan(**reward: object) -> dict[str, object]:
    search = {
        "kind": "search",
        "algorithm": {"kind": "best_of_n", "n": 4},
        "policy": {"kind": "solver", "model": "m"},
        "reward": reward or {"kind": "rule", "callable": f"{__name__}:confident"},
    }
    return {"name": "trial", "models": {"m": {"kind": "scripted", "answers": ANSWERS}}, "nodes": {"search": search}}


def write(folder: Path, name: str, workflow: dict[str, object]) -> None:
    (folder / name).write_text(yaml.safe_dump(workflow), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of which half the problems expect 4, and a run of another reward."""
    found = tmp_path_factory.mktemp("calibrating")
    rows = [{"id": f"p{k}", "prompt": f"Question {k}?", "answer": "4" if k % 2 else "5"} for k in range(QUESTIONS)]
    (found / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    write(found, "w.yaml", plan())
    write(found, "other.yaml", plan(kind="rule", callable=f"{__name__}:confident", reducer="min"))
    with chdir(found):
        for name, out in (("w.yaml", "run"), ("other.yaml", "other")):
            assert main(["run", name, "--tasks", "q.jsonl", "--out", out], {}) == 0
    return found


def test_graded_answers_are_those_known_to_be_right_or_wrong(folder: Path) -> None:
    with recorded(folder / "run") as journal:
        sample = graded_answers(journal)
        first = graded_answers(journal, most_problems=1)
    assert (len(sample.answers), sample.scale, sample.left_out) == (4 * QUESTIONS, "probability", 0)
    assert len({each.problem_id for each in first.answers}) == 1
    right = {(each.value, each.correct) for each in sample.answers if each.problem_id == "p1"}
    assert right <= {(0.95, True), (0.9, False)}


@pytest.mark.parametrize("method", ["platt", "isotonic", "temperature"])
def test_a_curve_is_written_and_applied(
    folder: Path, method: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with chdir(folder):
        out = f"{method}.json"
        capsys.readouterr()
        assert main(["calibrate", "run", "--out", out, "--method", method, "--json"], {}) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["answers"], said["problems"], said["curve"]["method"]) == (4 * QUESTIONS, QUESTIONS, method)
        assert said["expected_calibration_error"]["after"] < said["expected_calibration_error"]["before"]
        written = json.loads((folder / out).read_text())
        assert written["reward"]["callable"] == f"{__name__}:confident"
        inner = {"kind": "rule", "callable": f"{__name__}:confident"}
        write(folder, f"{method}.yaml", plan(kind="calibrated", reward=inner, calibration=out))
        assert main(["run", f"{method}.yaml", "--tasks", "q.jsonl", "--out", f"{method}-run"], {}) == 0
        with recorded(folder / f"{method}-run") as journal:
            assert {each.value for each in graded_answers(journal).answers} != {0.9, 0.95}


def test_the_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chdir(folder):
        capsys.readouterr()
        assert main(["calibrate", "run", "--out", "table.json"], {}) == 0
    said = capsys.readouterr()
    assert f"{4 * QUESTIONS} answers to {QUESTIONS} problems" in said.out
    assert "on held-out problems" in said.out
    assert said.err == "Calibration: table.json\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--out", "w.yaml"], "there already"),
        (["run", "other", "--out", "new.json"], "other: its reward, or a model of it, is not that of run"),
        (["nowhere", "--out", "new.json"], "nowhere"),
    ],
)
def test_what_it_refuses(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with chdir(folder):
        capsys.readouterr()
        assert main(["calibrate", *arguments], {}) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "new.json").exists()


@pytest.mark.parametrize("method", ["platt", "isotonic", "temperature"])
@pytest.mark.parametrize(("reward", "pairs"), [("perverse", "36.7 %"), ("mute", "50.0 %")])
def test_a_curve_that_does_not_rise_is_refused(
    folder: Path, reward: str, pairs: str, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, f"{reward}.yaml", plan(kind="rule", callable=f"{__name__}:{reward}"))
    run, out = f"{reward}-{method}-run", folder / f"{reward}-{method}.json"
    with chdir(folder):
        assert main(["run", f"{reward}.yaml", "--tasks", "q.jsonl", "--out", run], {}) == 0
        capsys.readouterr()
        assert main(["calibrate", run, "--out", out.name, "--method", method], {}) == 2
    assert f"the right one has the higher value in {pairs} of pairs" in capsys.readouterr().err
    assert not out.exists()


def test_a_workflow_of_another_reward_refuses_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chdir(folder):
        assert main(["calibrate", "run", "--out", "mine.json"], {}) == 0
        inner = {"kind": "rule", "callable": f"{__name__}:confident", "reducer": "min"}
        write(folder, "wrong.yaml", plan(kind="calibrated", reward=inner, calibration="mine.json"))
        capsys.readouterr()
        assert main(["check", "wrong.yaml"], {}) == 2
    where, _, reason = capsys.readouterr().err.partition(": nodes.search.reward: ")
    assert re.fullmatch(r"branchwise: wrong\.yaml:\d+", where)
    assert "different are reducer" in reason


def test_a_file_that_is_not_there_is_named_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner = {"kind": "rule", "callable": f"{__name__}:confident"}
    write(folder, "missing.yaml", plan(kind="calibrated", reward=inner, calibration="nowhere.json"))
    capsys.readouterr()
    with chdir(folder):
        assert main(["check", "missing.yaml"], {}) == 2
    where, _, reason = capsys.readouterr().err.partition(": nodes.search.reward: ")
    assert re.fullmatch(r"branchwise: missing\.yaml:\d+", where)
    assert reason == "calibration nowhere.json: No such file or directory\n"
