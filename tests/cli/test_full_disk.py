"""A disk that fills: exit code 3, what was committed is kept, `resume` goes on when there is room again."""

import resource
import subprocess
from pathlib import Path

from tests.cli.conftest import COMMAND, Shell

ROOM_BYTES = 100_000


def test_a_full_disk_stops_the_run_and_resume_goes_on(shell: Shell) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, ROOM_BYTES))

    workflow, questions = shell.workflow(), shell.questions(20)
    command = [*COMMAND, "run", str(workflow), "--tasks", str(questions), "--out", "r", "--json"]
    ran = subprocess.run(
        command, cwd=shell.folder, preexec_fn=little_room, capture_output=True, text=True, timeout=100
    )
    assert (ran.returncode, ran.stdout) == (3, ""), ran.stderr
    assert "branchwise resume r" in ran.stderr
    assert "Traceback" not in ran.stderr
    resumed = shell("resume", "r", "--json").json()
    assert resumed["n"] == 20
    assert 80 <= resumed["calls"] <= 160


def test_without_room_for_the_page_the_result_is_shown_all_the_same(shell: Shell) -> None:
    page = Path("r", "report.html")
    (shell.folder / page).mkdir(parents=True)
    ran = shell("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r", "--json")
    assert ran.code == 0
    assert ran.json()["n"] == 3
    assert f"{page} could not be written" in ran.err
