"""Wrong input: a message that names place and remedy, exit code 2, no run directory, nothing on standard output."""

import fcntl
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

LOOP = """\
models:
  m: {kind: scripted, answers: [REVISE]}
nodes:
  draft: {kind: agent, agent: {kind: solver, model: m}, next: review}
  review: {kind: agent, agent: {kind: reviewer, model: m}, next: {accept: end, revise: refine}}
  refine: {kind: agent, agent: {kind: refiner, model: m}, next: review}
"""
EMBEDDED = "kind: embedded, model: "


def run_refused(shell: Shell, workflow: Path, *words: str, extra: tuple[str, ...] = (), **environment: str) -> None:
    """`check` and `run` say the same, and neither leaves anything."""
    shell("check", workflow, *(one for one in extra if one != "--json"), **environment).refused(*words)
    shell("run", workflow, "--tasks", shell.questions(), "--json", *extra, **environment).refused(*words)
    assert not (shell.folder / "runs").exists()


def test_an_unknown_key(shell: Shell) -> None:
    run_refused(shell, shell.workflow(max_tokens="max_token"), "w.yaml:8", "max_token", "did you mean 'max_tokens'?")


def test_an_unknown_kind(shell: Shell) -> None:
    run_refused(shell, shell.workflow(best_of_n="best_of_m"), "best_of_m", "did you mean 'best_of_n'?", "beam")


def test_a_cycle_without_an_exit(shell: Shell) -> None:
    text = LOOP.replace("accept: end", "accept: refine")
    run_refused(shell, shell.write("w.yaml", text), "no way leads", "exit")


def test_a_cycle_without_a_bound(shell: Shell) -> None:
    run_refused(shell, shell.write("w.yaml", LOOP), "w.yaml:3: nodes: the cycle", "max_visits")


def test_keys_that_do_not_go_together(shell: Shell) -> None:
    """Several keys are to blame, so the message names them, and does not repeat the whole mapping."""
    text = (
        shell.workflow().read_text().replace("kind: best_of_n, n: 4", "kind: mcts, children: 4, batch: 9, depth: 5")
    )
    refused = shell("check", shell.write("w.yaml", text))
    refused.refused("w.yaml:7: nodes.search.algorithm: batch: 9", "more than children: 4")
    assert "depth" not in refused.err


def test_an_unset_environment_variable(shell: Shell) -> None:
    workflow = shell.workflow(kind__scripted='kind: openai, url: "${NOT_SET_HERE}", model: x')
    run_refused(shell, workflow, "w.yaml:3", "NOT_SET_HERE", "is not set")


def test_a_missing_model_name(shell: Shell) -> None:
    workflow = shell.workflow(model__m="model: n")
    run_refused(shell, workflow, "w.yaml:8: nodes.search.policy.model: no model 'n'", "there are: m")


def test_a_missing_model_file(shell: Shell) -> None:
    text = shell.workflow().read_text().splitlines()
    text[2] = "  m: {kind: embedded, model: no/such.gguf}"
    run_refused(shell, shell.write("w.yaml", "\n".join(text)), "models.m", "such.gguf")


def test_a_model_that_is_no_gguf(shell: Shell) -> None:
    shell.write("picture.gguf", "\x89PNG, not a model")
    text = shell.workflow().read_text().splitlines()
    text[2] = "  m: {kind: embedded, model: ./picture.gguf}"
    run_refused(shell, shell.write("w.yaml", "\n".join(text)), "models.m", "picture.gguf", "not a GGUF file")


def test_a_chat_with_a_model_that_has_no_chat_template(shell: Shell) -> None:
    text = shell.workflow().read_text().splitlines()
    text[2] = "  m: {kind: embedded, model: arithmetic-policy}"
    run_refused(shell, shell.write("w.yaml", "\n".join(text)), "w.yaml:8", "model 'm' (embedded) lacks 'chat'")


def test_a_reward_that_scores_with_a_model_that_writes(shell: Shell) -> None:
    text = shell.workflow().read_text() + "    reward: {kind: outcome_model, model: v}\n"
    text = text.replace("models:\n", 'models:\n  v: {kind: vllm_server, url: "http://localhost:1/v1", model: v}\n')
    workflow = shell.write("w.yaml", text)
    shell("check", workflow).refused(
        "w.yaml:10", "'v' (vllm_server) lacks 'pooling'", "vllm_server (runner: pooling)"
    )


PAIRS = "{kind: against_reference, given: answer, judge: {kind: pair_judge, model: v}}"
OUTCOME = "{kind: outcome_model, model: v}"


@pytest.mark.parametrize(
    "reward",
    [
        "{kind: judge, model: v}",
        "{kind: gated, reward: {kind: grm, model: v}}",
        f"{{kind: ensemble, rewards: [{PAIRS}, {{kind: grm, model: m, meta: {{kind: judge, model: v}}}}]}}",
        f"{{kind: ensemble, references: [[0, 1], [0, 1]], rewards: [{OUTCOME}, {{kind: judge, model: v}}]}}",
    ],
)
def test_a_reward_that_reads_texts_of_a_model_that_scores(shell: Shell, reward: str) -> None:
    model = 'v: {kind: vllm_server, url: "http://localhost:1/v1", model: v, runner: pooling}'
    text = shell.workflow().read_text() + f"    reward: {reward}\n"
    workflow = shell.write("w.yaml", text.replace("models:\n", f"models:\n  {model}\n"))
    refused = shell("check", workflow)
    refused.refused("w.yaml:10: nodes.search.reward", "model 'v' (vllm_server) lacks 'writes'")
    assert refused.err.count("lacks") == 1


@pytest.mark.parametrize("limit", ["run.money=2", "problem.policy.money=1"])
def test_a_limit_in_money_where_nothing_costs_any(shell: Shell, limit: str) -> None:
    arguments = ("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r", "--budget", limit)
    shell(*arguments).refused("budget.", "money", "no model has a price")
    assert not (shell.folder / "r").exists()
    assert shell(*arguments, "--set", "models.m.price.prompt=1").code == 0


def test_a_policy_that_can_only_score(shell: Shell) -> None:
    model = 'm: {kind: vllm_server, url: "http://localhost:1/v1", model: m, runner: pooling}'
    text = shell.workflow().read_text().splitlines()
    shell("check", shell.write("w.yaml", "\n".join([*text[:2], f"  {model}", *text[3:]]))).refused("lacks 'writes'")


def test_a_calibration_of_scores_on_another_scale(shell: Shell) -> None:
    curve = "{scale: raw, curve: {method: temperature, temperature: 2}}"
    reward = f"{{kind: calibrated, reward: {{kind: calculator}}, calibration: {curve}}}"
    workflow = shell.write("w.yaml", shell.workflow().read_text() + f"    reward: {reward}\n")
    shell("check", workflow).refused("takes raw scores, and calculator gives probability ones")


def test_a_world_or_an_oracle_deep_within_a_reward(shell: Shell) -> None:
    grm = "{kind: grm, model: m, meta: %s}"
    head = shell.workflow().read_text()
    workflow = shell.write("w.yaml", head + f"    reward: {{kind: gated, reward: {grm % '{kind: world}'}}}\n")
    shell("check", workflow, "--tasks", "arithmetic").refused("nodes.search.reward", "for a task with a world")


def test_a_prompt_that_does_not_exist(shell: Shell) -> None:
    workflow = shell.workflow(max_tokens="prompt: sovler, max_tokens")
    run_refused(shell, workflow, "prompt 'sovler'", "solver")


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("$problem: $anser", ("nothing fills in '$anser'; did you mean '$answer'?", "$rubric")),
        ("Mark $answer for $problem in $y^2$.", ("nothing fills in '$y'", "for a dollar sign write $$")),
        ("Mark $problem", ("the template lacks $answer",)),
    ],
)
def test_a_judge_that_is_not_shown_the_answer(shell: Shell, prompt: str, words: tuple[str, ...]) -> None:
    reward = f"    reward:\n      kind: judge\n      model: m\n      prompt: '{prompt}'\n"
    written = shell.workflow().read_text()
    workflow = shell.write("w.yaml", written + reward)
    line = len(workflow.read_text().splitlines())
    run_refused(shell, workflow, f"w.yaml:{line}: nodes.search.reward.prompt: {words[0]}", *words[1:])


def test_a_policy_that_is_not_shown_the_problem(shell: Shell) -> None:
    workflow = shell.workflow(max_tokens="prompt: $problme, max_tokens")
    run_refused(
        shell, workflow, "w.yaml:8: nodes.search.policy.prompt: nothing fills in '$problme'; did you mean '$problem'?"
    )


@pytest.mark.parametrize(
    ("budget", "word"),
    [
        ("problem.tokens=0", "greater than 0"),
        ("problem.tokens=-5", "greater than 0"),
        ("problem.tokens=nan", "not a whole number"),
        ("run.seconds=nan", "greater than 0"),
        ("problem.tokens=many", "not a whole number"),
        ("problem.token=5", "did you mean 'tokens'?"),
        ("problems.tokens=5", "did you mean 'problem'?"),
        ("branch.seconds=5", "unknown resource 'seconds'"),
        ("problem=5", "problem.tokens=4000"),
        ("problem.tokens", "problem.tokens=4000"),
    ],
)
def test_a_wrong_budget(shell: Shell, budget: str, word: str) -> None:
    shell("check", shell.workflow(), "--budget", budget).refused(f"--budget {budget}", word)


def test_a_budget_of_nothing_in_the_file(shell: Shell) -> None:
    text = shell.workflow().read_text() + "budget: {problem: {tokens: 0}}\n"
    run_refused(shell, shell.write("w.yaml", text), "w.yaml:9", "budget.problem.tokens", "greater than 0")


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("nodes.search.algorithm.m=4", "nodes.search.algorithm.m: unknown key"),
        ("nodes.search.algorithm.n=few", "valid integer"),
        ("nodes.search.algorithm", "write it as"),
        ("name.x=4", "'name' holds no keys"),
    ],
)
def test_a_wrong_setting(shell: Shell, setting: str, word: str) -> None:
    shell("check", shell.workflow(), "--set", setting).refused(word)


@pytest.mark.parametrize(
    ("task", "word"),
    [
        ("arithmetics", "did you mean 'arithmetic'?"),
        ("arithmetic:stepz=3", "did you mean 'steps'?"),
        ("arithmetic:steps=99", "less than or equal to"),
        ("arithmetic:steps", "not key=value"),
        ("nowhere.jsonl", "nowhere.jsonl: can't be read"),
    ],
)
def test_a_wrong_task(shell: Shell, task: str, word: str) -> None:
    shell("run", shell.workflow(), "--tasks", task).refused(word)
    assert not (shell.folder / "runs").exists()


def test_a_malformed_row_is_named_by_its_number(shell: Shell) -> None:
    tasks = shell.write("bad.jsonl", '{"question": "1?", "answer": 1}\n{"question": "2?"\n')
    shell("run", shell.workflow(), "--tasks", tasks).refused("bad.jsonl:2: not JSON")


def test_a_missing_and_a_broken_workflow_file(shell: Shell) -> None:
    shell("check", "none.yaml").refused("none.yaml", "No such file")
    shell("check", shell.write("w.yaml", "models: [\n")).refused("w.yaml:", "not YAML")
    shell("check", shell.write("w.yaml", "just text")).refused("w.yaml", "models and nodes")


@pytest.mark.parametrize("out", ["w.yaml/inside", "/proc/branchwise"])
def test_a_run_directory_that_cannot_be_written(shell: Shell, out: str) -> None:
    ran = shell("run", shell.workflow(), "--tasks", shell.questions(), "--out", out)
    ran.refused(f"run directory {out} can't be written", "--out")


def test_a_run_directory_that_holds_a_run(shell: Shell) -> None:
    arguments = ("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r")
    assert shell(*arguments).code == 0
    shell(*arguments).refused("holds a run already", "branchwise resume r")


def test_a_run_directory_in_use(shell: Shell) -> None:
    (shell.folder / "r").mkdir()
    with (shell.folder / "r" / "lock").open("w") as held:
        held.write("process 4711 on here")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        ran = shell("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r")
    ran.refused("run directory r is in use by process 4711 on here")


def test_a_journal_of_a_newer_version(shell: Shell) -> None:
    assert shell("run", shell.workflow(), "--tasks", shell.questions(), "--out", "r").code == 0
    with sqlite3.connect(shell.folder / "r" / "journal.sqlite") as journal:
        journal.execute("PRAGMA user_version = 99")
    journal.close()
    for command in ("resume", "report"):
        shell(command, "r").refused("version 99", "update Branchwise")


def test_a_directory_that_holds_no_run(shell: Shell) -> None:
    shell("report", ".").refused("not a run directory")
    shell("resume", ".").refused("not a run directory")
    shell.write("journal.sqlite", "no database at all, but a text that is long enough to be read as a header" * 20)
    shell("report", ".").refused("can't be read as a journal")


def test_no_command_and_an_unknown_argument(shell: Shell) -> None:
    for arguments in ((), ("fly",), ("run", "w.yaml"), ("run", "w.yaml", "--tasks", "x", "--limit", "0")):
        ran = shell(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "usage: branchwise" in ran.err
