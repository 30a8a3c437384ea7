"""`run`, `resume` and `report` as a user meets them: the JSON object, the table, interrupts, going on."""

import json
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.cli.conftest import WORKFLOW, Shell


def slow(shell: Shell, seconds: float) -> Path:
    return shell.workflow(kind__scripted=f"kind: scripted, delay_seconds: {seconds}, max_in_flight: 2")


def test_run_prints_one_json_object_and_leaves_a_page(shell: Shell) -> None:
    ran = shell("run", shell.workflow(), "--tasks", shell.questions(), "--seed", "5", "--json")
    assert ran.code == 0, ran.err
    result = ran.json()
    assert len(ran.out.splitlines()) == 1
    assert (result["n"], result["graded"], result["failed"], result["seed"]) == (3, 3, {}, 5)
    assert result["workflow"] == "trial"
    assert result["accuracy"] == result["correct"] / 3
    low, high = result["interval"]
    assert 0 <= low <= result["accuracy"] <= high <= 1
    policy = result["tokens"]["policy"]
    assert policy["drawn"] == policy["paid"]
    assert policy["paid"]["prompt"] > 0
    assert policy["paid"]["completion"] > 0
    assert result["calls"] == policy["paid"]["calls"] == 12
    assert result["stop_reasons"] == {"answered": 3}
    assert result["seconds"] >= 0
    directory = shell.folder / result["run_directory"]
    assert directory.parent == shell.folder / "runs"
    assert directory.name.startswith("trial-")
    assert "<html" in (directory / "report.html").read_text(encoding="utf-8")
    assert f"Report: {result['run_directory']}/report.html" in ran.err


def test_without_json_there_is_a_table_and_progress_stays_off_standard_output(shell: Shell) -> None:
    ran = shell("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r")
    assert "trial" in ran.out
    assert "3/3 problems" in ran.err
    assert "problems" not in ran.out.splitlines()[2]


def test_a_lost_problem_is_counted_by_its_boundary(shell: Shell) -> None:
    workflow = shell.workflow(kind__scripted="kind: scripted, failure_rate: 1.0")
    result = shell("run", workflow, "--tasks", shell.questions(), "--json").json()
    assert (result["n"], result["graded"], result["accuracy"], result["interval"]) == (3, 0, None, None)
    assert result["failed"] == {"backend": 3}
    assert result["candidates_lost"] == {"backend": 12}


JUDGED = WORKFLOW.replace("  m: {", "  judge: {kind: scripted, answers: [%s]}\n  m: {") + (
    "    reward: {kind: judge, model: judge}\n    select: naive\n"
)


def test_a_run_that_lost_every_judgement_says_so_wherever_its_numbers_stand(shell: Shell) -> None:
    run = ("run", shell.write("w.yaml", JUDGED % '"I cannot say."'), "--tasks", shell.questions(), "--out", "r")
    ran = shell(*run)
    loud = "trial: ALL 12 JUDGEMENTS WERE LOST (the reward judge)"
    assert (ran.code, ran.err.count(f"branchwise: warning: {loud}")) == (0, 1)
    assert f"Note, {loud}" in ran.out
    assert "most often (12): no mark from 1 to 10 can be read" in ran.out
    for command in ("resume", "report"):
        again = shell(command, "r", "--json")
        assert (again.code, again.err.count(f"warning: {loud}")) == (0, 1)
    told = again.json()["runs"][0]
    assert (told["judgements"], told["candidates_lost"], told["accuracy"] is None) == (12, {"reward": 12}, False)
    assert told["notes"][0].startswith("ALL 12 JUDGEMENTS WERE LOST")
    assert "ALL 12 JUDGEMENTS WERE LOST" in (shell.folder / "r" / "report.html").read_text()


def test_a_run_that_lost_some_judgements_has_a_note_and_no_warning(shell: Shell) -> None:
    workflow = shell.write("w.yaml", JUDGED % '"Fine. Score: 9", "I cannot say."')
    ran = shell("run", workflow, "--tasks", shell.questions())
    assert (ran.code, "warning" in ran.err) == (0, False)
    (note,) = [line for line in ran.out.splitlines() if line.startswith("Note, trial: the reward judge lost")]
    assert " of 12 judgements; most often (" in note


def test_a_budget_on_the_command_line_binds_and_is_kept(shell: Shell) -> None:
    arguments = ("--tasks", shell.questions(), "--budget", "problem.calls=2", "--json", "--out", "r")
    result = shell("run", shell.workflow(), *arguments).json()
    assert result["calls"] == 6
    assert result["stop_reasons"] == {"budget_calls": 3}
    plan = json.loads((shell.folder / "r" / "plan.json").read_text())
    assert plan["plan"]["budget"] == {"problem": {"calls": 2}}


def test_settings_change_the_file(shell: Shell) -> None:
    result = shell(
        "run", shell.workflow(), "--tasks", shell.questions(), "--set", "nodes.search.algorithm.n=2", "--json"
    ).json()
    assert result["calls"] == 6


def test_reuse_pays_nothing_and_replay_refuses_what_is_new(shell: Shell) -> None:
    workflow, questions = shell.workflow(), shell.questions()
    first = shell("run", workflow, "--tasks", questions, "--out", "a", "--json").json()
    again = shell("run", workflow, "--tasks", questions, "--out", "b", "--reuse", "a", "--replay", "--json").json()
    assert again["calls"] == 0
    assert again["accuracy"] == first["accuracy"]
    assert again["tokens"]["policy"]["drawn"] == first["tokens"]["policy"]["drawn"]
    refused = shell("run", workflow, "--tasks", questions, "--out", "c", "--seed", "1", "--reuse", "a", "--replay")
    assert (refused.code, refused.out) == (3, "")
    assert "replay" in refused.err
    assert "Traceback" not in refused.err


def test_the_seed_is_the_tasks_unless_it_has_its_own(shell: Shell) -> None:
    arguments = ("run", shell.workflow(), "--limit", "4", "--json")
    tasks = [("arithmetic:steps=2", "1"), ("arithmetic:steps=2", "2"), ("arithmetic:steps=2,seed=1", "3")]
    runs = [shell(*arguments, "--tasks", task, "--seed", seed).json()["run_directory"] for task, seed in tasks]
    read = shell("report", *runs, "--json").json()["runs"]
    first, second, third = ([problem["problem"] for problem in run["problems"]] for run in read)
    assert set(first) == set(third) != set(second)
    assert [run["n"] for run in read] == [4, 4, 4]


def test_interrupted_it_drains_and_resume_pays_nothing_twice(shell: Shell) -> None:
    workflow, questions = slow(shell, 0.2), shell.questions(4)
    arguments = ("run", workflow, "--tasks", questions, "--concurrency", "1", "--json")
    running = shell.start(*arguments, "--out", "r")
    wait_for(shell.folder / "r" / "plan.json")
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, ""), err
    assert "branchwise resume r" in err
    assert "Traceback" not in err
    partial = shell("report", "r", "--json").json()["runs"][0]
    assert partial["n"] < 4
    assert "not finished" in partial["notes"][0]
    resumed = shell("resume", "r", "--json").json()
    whole = shell(*arguments, "--out", "whole").json()
    assert resumed["calls"] == whole["calls"] == 16
    for key in ("n", "graded", "accuracy", "tokens", "stop_reasons"):
        assert resumed[key] == whole[key]
    again = shell("report", "r", "--json").json()["runs"][0]
    assert {p["problem"]: p["trace"] for p in partial["problems"]}.items() <= {
        p["problem"]: p["trace"] for p in again["problems"]
    }.items()


def test_a_second_interrupt_stops_at_once(shell: Shell) -> None:
    running = shell.start("run", slow(shell, 30), "--tasks", shell.questions(), "--out", "r")
    wait_for(shell.folder / "r" / "plan.json")
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    while "stopping" not in running.stderr.readline():
        pass
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, ""), err
    assert "branchwise resume r" in err


def test_killed_it_is_resumed_from_another_folder(shell: Shell, tmp_path: Path) -> None:
    shell.questions(4)
    running = shell.start("run", slow(shell, 0.2), "--tasks", "q.jsonl", "--out", "r", "--concurrency", "1")
    wait_for(shell.folder / "r" / "plan.json")
    time.sleep(0.7)
    running.kill()
    running.communicate()
    elsewhere = Shell(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    result = elsewhere("resume", shell.folder / "r", "--json").json()
    assert result["n"] == 4
    assert 16 <= result["calls"] <= 18


def test_a_task_file_that_changed_since_is_refused(shell: Shell) -> None:
    assert shell("run", shell.workflow(), "--tasks", shell.questions(3), "--out", "r").code == 0
    tasks = shell.questions(4)
    shell("resume", "r").refused(f"something else: the content of {tasks} changed. Go on", "--reuse r")
    shell.questions(3)
    assert shell("resume", "r", "--json").json()["n"] == 3


def test_a_file_of_the_workflow_that_changed_since_is_refused(shell: Shell) -> None:
    rule = "{kind: rule, callable: 'builtins:bool'}"
    reward = f"{{kind: transformed, transform: preference, references: refs.jsonl, reward: {rule}}}"
    workflow = shell.write("w.yaml", f"{slow(shell, 0.2).read_text()}    reward: {reward}\n")
    references = [json.dumps({"problem": f"q.jsonl:{number}", "rewards": [0.5]}) for number in range(1, 4)]
    shell.write("refs.jsonl", "\n".join(references))
    running = shell.start("run", workflow, "--tasks", shell.questions(3), "--concurrency", "1", "--out", "r")
    wait_for(shell.folder / "r" / "plan.json")
    running.kill()
    running.communicate()
    shell.write("refs.jsonl", "\n".join(references[:2]))
    shell("resume", "r").refused("something else: the content of refs.jsonl changed. Go on", "--reuse r")
    shell.write("refs.jsonl", "\n".join(references))
    assert shell("resume", "r", "--json").json()["n"] == 3


def test_a_run_on_record_without_a_hash_of_its_task_file_is_gone_on_with(shell: Shell) -> None:
    assert shell("run", shell.workflow(), "--tasks", shell.questions(3), "--out", "r").code == 0
    with sqlite3.connect(shell.folder / "r" / "journal.sqlite") as journal:
        (text,) = journal.execute("SELECT value FROM meta WHERE key = 'manifest'").fetchone()
        manifest = json.loads(text)
        assert len(manifest.pop("task_sha256")) == 64
        journal.execute("UPDATE meta SET value = ? WHERE key = 'manifest'", (json.dumps(manifest),))
    journal.close()
    shell.questions(4)
    assert shell("resume", "r", "--json").json()["n"] == 4


def test_a_finished_run_is_only_shown(shell: Shell) -> None:
    first = shell("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r", "--json").json()
    again = shell("resume", "r", "--json")
    assert again.json() == first
    assert "in flight" not in again.err


def test_resume_reads_the_environment_again_and_the_record_holds_no_secret(shell: Shell) -> None:
    text = (
        shell.workflow()
        .read_text()
        .replace("  m: {", "  spare: {kind: openai, url: 'http://127.0.0.1:9', model: x, api_key: '${KEY}'}\n  m: {")
    )
    shell.write("w.yaml", text)
    ran = shell("run", "w.yaml", "--tasks", shell.questions(), "--out", "r", "--json", KEY="very-secret")
    assert ran.code == 0, ran.err
    for file in (shell.folder / "r").iterdir():
        assert b"very-secret" not in file.read_bytes()
    assert shell("resume", "r", "--json").code == 0
    literal = text.replace("${KEY}", "very-secret")
    ran = shell("run", shell.write("l.yaml", literal), "--tasks", shell.questions(), "--out", "l", "--json")
    assert ran.code == 0, ran.err
    for file in (shell.folder / "l").iterdir():
        assert b"very-secret" not in file.read_bytes()
    assert "${SPARE_API_KEY}" in (shell.folder / "l" / "plan.json").read_text()


def test_a_report_needs_the_journal_and_nothing_else(shell: Shell) -> None:
    workflow, questions = shell.workflow(), shell.questions()
    shell("run", workflow, "--tasks", questions, "--out", "r")
    shell("run", workflow, "--tasks", questions, "--out", "s", "--seed", "3")
    for file in (workflow, questions, shell.folder / "r" / "plan.json"):
        file.unlink()
    read = shell("report", "r", "s", "--json", "--html", "page.html").json()
    assert [run["name"] for run in read["runs"]] == ["trial (r)", "trial (s)"]
    assert {problem["problem"] for problem in read["runs"][0]["problems"]} == {"q0", "q1", "q2"}
    problem = read["runs"][0]["problems"][0]
    assert set(problem) == {
        "problem",
        "question",
        "expected",
        "answer",
        "correct",
        "stop",
        "trace",
        "tokens",
        "failures",
    }
    traces = [{problem["trace"] for problem in run["problems"]} for run in read["runs"]]
    assert [len(each) for each in traces] == [3, 3]
    assert not traces[0] & traces[1]
    assert read["comparisons"][0]["first"] == "trial (r)"
    assert "<html" in (shell.folder / "page.html").read_text(encoding="utf-8")
    assert "trial (s)" in shell("report", "r", "s").out
    shell("report", "r", "--problem", "no such id").refused("no problem 'no such id' was started")


@pytest.mark.parametrize("command", ["list", "schema"])
def test_a_reader_that_goes_away_is_no_error(shell: Shell, command: str) -> None:
    with shell.start(command) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        err = running.stderr.read()
    assert running.returncode in (0, 141)
    assert "Traceback" not in err


def wait_for(path: Path) -> None:
    """Until the file is there."""
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not come")
