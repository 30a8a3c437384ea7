"""`check`, `list`, `models`, `schema`, `--version`: commands that run nothing."""

from importlib.metadata import version
from pathlib import Path

from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.plugins import kinds
from tests.cli.conftest import Shell

PRICED = "kind: scripted, price: {prompt: 1, completion: 2}"


def test_check_predicts_the_most_that_can_be_used(shell: Shell) -> None:
    workflow = shell.workflow(kind__scripted=PRICED)
    found = shell("check", workflow, "--tasks", shell.questions(5), "--limit", "4", "--json").json()
    assert found["problems"] == 4
    one, total = found["at_most_per_problem"], found["at_most_in_total"]
    assert (one["calls"], one["completion_tokens"]) == (4, 4 * 64)
    assert one["tokens"] == one["prompt_tokens"] + one["completion_tokens"]
    assert one["money"] == (one["prompt_tokens"] + 2 * one["completion_tokens"]) / 1e6
    assert total["tokens"] == 4 * one["tokens"]
    used = shell("run", workflow, "--tasks", shell.questions(5), "--limit", "4", "--json").json()
    assert used["calls"] <= total["calls"]
    assert used["tokens"]["policy"]["paid"]["prompt"] <= total["prompt_tokens"]
    assert used["money"] <= total["money"]


def test_check_says_the_budget_beside_it_and_warns_of_one_that_refuses_everything(shell: Shell) -> None:
    workflow = shell.workflow()
    ran = shell("check", workflow, "--tasks", shell.questions(), "--budget", "problem.tokens=4000")
    assert "its budget" in ran.out
    assert "4,000" in ran.out
    assert "refuse" not in ran.err
    ran = shell("check", workflow, "--tasks", shell.questions(), "--budget", "problem.tokens=50")
    assert (ran.code, "no room for the dearest one: " in ran.err) == (0, True)


def test_check_without_a_task_says_what_it_left_out(shell: Shell) -> None:
    ran = shell("check", shell.workflow())
    assert ran.code == 0
    assert "give --tasks" in ran.err
    assert not (shell.folder / "runs").exists()


def test_list_shows_every_kind_with_its_options(shell: Shell) -> None:
    found = shell("list", "--json").json()
    for role, listed in found.items():
        assert [one["kind"] for one in listed] == list(kinds(role))
        for one in listed:
            assert one["summary"], one["kind"]
            assert all(option["description"] for option in one["options"]), one["kind"]
            for option in one["options"]:
                assert set(option) == {"name", "type", "required", "default", "description"}
    text = shell("list", "search").out
    assert "Step beam search" in text
    assert "width: int, default 4" in text
    shell("list", "searches").refused("did you mean 'search'?")


def test_models_are_listed_without_a_network(shell: Shell, tmp_path: Path) -> None:
    found = shell("models", "list", "--json", XDG_CACHE_HOME=str(tmp_path / "cache")).json()
    known = {model["name"]: model for model in found}
    assert known["arithmetic-policy"]["present"]
    assert not known["smollm2-135m"]["present"]
    text = shell("models", XDG_CACHE_HOME=str(tmp_path / "cache")).out
    assert "branchwise models pull smollm2-135m" in text
    shell("models", "pull", "nothing", XDG_CACHE_HOME=str(tmp_path / "cache")).refused("smollm2-135m")


def test_the_schema_describes_workflows(shell: Shell) -> None:
    schema = shell("schema").json()
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"models", "nodes", "budget"} <= set(schema["properties"])


def test_the_version(shell: Shell) -> None:
    assert shell("--version").out == f"branchwise {version('branchwise')}\n"


def test_every_backends_paths_can_be_located() -> None:
    for kind in kinds("backend").values():
        assert issubclass(kind.module.Options, ModelOptions)
