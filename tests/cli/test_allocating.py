"""`allocate`: from the runs of a suite to a workflow that spends by difficulty, and what it refuses."""

import shutil
import sqlite3
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from branchwise.orchestrator.cli import main
from tests.cli.conftest import Ran, Shell

SUITE = """\
seed: 3
parts:
  - title: Trial
    task: q.jsonl
    limit: 12
    strategies:
      - {name: four, workflow: w.yaml}
      - {name: eight, workflow: w.yaml, set: {nodes.search.algorithm: {kind: best_of_n, n: 8}}}
      - {name: one, workflow: w.yaml, set: {nodes.search.algorithm: {kind: greedy}}}
      - {name: shorter, workflow: w.yaml, set: {nodes.search.policy.max_tokens: 32}}
"""


@dataclass(frozen=True)
class Place:
    """A folder in which `branchwise` runs in this process, and what it says there."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path) -> Ran:
        self.capture.readouterr()
        with chdir(self.folder):
            try:
                code = main([*map(str, arguments)], {})
            except SystemExit as ended:
                code = int(ended.code or 0)
        said = self.capture.readouterr()
        return Ran(code, said.out, said.err)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite that was evaluated on two seeds: dev and more."""
    shell = Shell(tmp_path_factory.mktemp("evaluated"))
    shell.workflow()
    shell.questions(12)
    shell.write("suite.yaml", SUITE)
    with chdir(shell.folder):
        for seed, out in (("3", "dev"), ("5", "more")):
            assert main(["evaluate", "suite.yaml", "--seed", seed, "--out", out], {}) == 0
    return shell.folder


@pytest.fixture
def place(evaluated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """An empty folder beside which there is the evaluated one."""
    for name in ("w.yaml", "q.jsonl", "dev", "more"):
        (tmp_path / name).symlink_to(evaluated / name)
    return Place(tmp_path, capsys)


LIKE = ("--by", "agreement", "--like", "four", "--out", "chosen.yaml")


def test_it_writes_a_workflow_that_runs_and_says_what_it_was_fitted_to(place: Place) -> None:
    ran = place("allocate", "dev", "--budget", "40", "--bins", "3", *LIKE, "--json")
    assert ran.code == 0, ran.err
    said = ran.json()
    assert (said["seeds"], said["problems"], said["fitted_to"]) == ([3], 12, 12)
    assert said["left_out"] == {"shorter": "not like four in policy"}
    assert "evaluate it on another" in ran.err
    assert sum(each["share"] for each in said["bins"]) == pytest.approx(1)
    for each in said["bins"]:  # greedy has the first pass before it, best-of-eight takes it over
        cost = {name: one["tokens"] for name, one in each["measured"].items()}
        assert set(cost) == {"four", "eight", "one"}
        assert cost["four"] < cost["one"] < cost["eight"]
    assert said["expected"]["tokens"] <= 40

    written = yaml.safe_load((place.folder / "chosen.yaml").read_text(encoding="utf-8"))
    node = written["nodes"]["search"]
    assert (written["name"], node["select"]) == ("chosen", "majority")
    assert (node["algorithm"]["kind"], node["algorithm"]["first_pass"]) == ("by_difficulty", 4)
    assert "seed 3" in written["description"]
    result = place("run", "chosen.yaml", "--tasks", "q.jsonl", "--seed", "4", "--json").json()
    assert (result["graded"], result["failed"]) == (12, {})
    most = place("check", "chosen.yaml", "--tasks", "q.jsonl", "--json").json()["at_most_in_total"]
    assert result["calls"] <= most["calls"]
    assert result["tokens"]["policy"]["drawn"]["completion"] <= most["completion_tokens"]


def test_the_fit_is_kept_on_the_problems_it_was_made_on(place: Place) -> None:
    said = place("allocate", "dev", "--budget", "99", *LIKE, "--json").json()
    result = place(
        "run", "chosen.yaml", "--tasks", "q.jsonl", "--seed", "3", "--json", "--reuse", "dev/1-trial/eight"
    )
    drawn = result.json()["tokens"]["policy"]["drawn"]["completion"]
    assert drawn / 12 == pytest.approx(said["expected"]["tokens"])
    assert result.json()["accuracy"] == pytest.approx(said["expected"]["accuracy"])


def test_the_table_says_what_is_expected_and_what_is_kept(place: Place) -> None:
    ran = place("allocate", "dev", "--budget", "30", *LIKE)
    assert "12 of 12 problems of" in ran.out
    for words in ("the rest", "expected", "chosen on one half, counted on the other", "the same for all"):
        assert words in ran.out
    assert "left out: shorter" in ran.err


def test_several_seeds_are_pooled(place: Place) -> None:
    said = place("allocate", "dev", "more", "--budget", "40", *LIKE, "--json").json()
    assert (said["seeds"], said["problems"], said["fitted_to"]) == ([3, 5], 24, 24)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dev", "--budget", "40"), "with a reward"),
        (("dev", "--budget", "40", "--by", "agreement"), "choose one by --like: eight, four, shorter"),
        (("dev", "--budget", "40", "--by", "agreement", "--like", "fuor"), "did you mean 'four'?"),
        (("dev", "--budget", "40", "--by", "agreement", "--first-pass", "9"), "at least 9 answers"),
        (("dev", "--budget", "1", "--by", "agreement", "--like", "four"), "too little"),
        (("w.yaml", "--budget", "40"), "no runs"),
        (("nowhere", "--budget", "40"), "no runs"),
        ((".", "--budget", "40"), "no runs"),
    ],
)
def test_what_no_workflow_can_be_made_of_is_refused(place: Place, arguments: tuple[str, ...], words: str) -> None:
    place("allocate", *arguments, "--out", "chosen.yaml").refused(words)
    assert not (place.folder / "chosen.yaml").exists()


@pytest.mark.parametrize("budget", ["-1", "0", "nan", "inf", "many"])
def test_a_budget_is_a_positive_number(place: Place, budget: str) -> None:
    ran = place("allocate", "dev", f"--budget={budget}", "--out", "chosen.yaml")
    assert (ran.code, "number" in ran.err) == (2, True)


def test_nothing_is_overwritten(place: Place) -> None:
    place("allocate", "dev", "--budget", "40", "--out", "w.yaml").refused("already")


def test_one_of_several_parts_has_to_be_named(place: Place) -> None:
    (place.folder / "both").mkdir()
    for name in ("1-trial", "2-other"):
        (place.folder / "both" / name).symlink_to(place.folder / "dev" / "1-trial")
    place("allocate", "both", "--budget", "40", *LIKE).refused("several parts", "1-trial", "2-other")
    assert place("allocate", "both/2-other", "--budget", "40", *LIKE).code == 0


def test_a_run_that_is_not_finished_is_refused(place: Place) -> None:
    run = place.folder / "half" / "four"
    shutil.copytree(place.folder / "dev" / "1-trial" / "four", run)
    with sqlite3.connect(run / "journal.sqlite") as journal:
        journal.execute("DELETE FROM results WHERE problem = 'q3'")
    place("allocate", "half", "--budget", "40", *LIKE).refused("not finished")


def test_a_workflow_that_names_files_beside_it_stays_beside_them(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.workflow(**{"kind: solver, model: m": "kind: solver, model: m, prompt: mine.txt"})
    shell.write("mine.txt", "Say: $problem")
    shell.questions(4)
    suite = "parts: [{title: Trial, task: q.jsonl, limit: 4, strategies: [{name: four, workflow: w.yaml}]}]"
    shell.write("suite.yaml", suite)
    (shell.folder / "sub").mkdir()
    place = Place(shell.folder, capsys)
    assert place("evaluate", "suite.yaml", "--out", "dev").code == 0
    arguments = ("allocate", "dev", "--budget", "99", "--by", "agreement", "--out")
    place(*arguments, "sub/chosen.yaml").refused("mine.txt", "beside it")
    assert place(*arguments, "chosen.yaml").code == 0
