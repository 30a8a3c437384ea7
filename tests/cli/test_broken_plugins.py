"""Plug-ins that are broken: named with their fault where they are used, and in nobody else's way."""

import pytest

from tests.cli.conftest import Shell

HEAD = "from typing import Literal\nfrom branchwise.orchestrator.core import options\n"
OPTIONS = HEAD + "class Options(options.{root}):\n    kind: Literal['{kind}'] = '{kind}'\n"
BROKEN = {
    "raises": ("raise RuntimeError('no\\nsuch thing')", "RuntimeError: no such thing"),
    "imports": ("import not_installed_anywhere", "No module named 'not_installed_anywhere'"),
    "leaves": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "misspelt": ("def built(", "SyntaxError"),
    "bare": ("def build(*parts): ...", "it defines no Options"),
    "other": (OPTIONS.format(root="Options", kind="other"), "its Options.kind is not Literal['broken']"),
    "half": (OPTIONS.format(root="Options", kind="broken"), "it defines no build"),
}


def install(shell: Shell, role: str, text: str) -> None:
    """A package in the shell's folder, with one plug-in `broken`."""
    shell.write("hurt.py", text)
    info = shell.folder / "hurt-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hurt\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[branchwise.{role}]\nbroken = hurt\n")


@pytest.mark.parametrize("name", BROKEN)
def test_only_what_uses_a_broken_plug_in_is_refused(shell: Shell, name: str) -> None:
    text, fault = BROKEN[name]
    install(shell, "search", text)
    assert shell("check", shell.workflow()).code == 0
    shell("check", shell.workflow(best_of_n="broken")).refused("w.yaml:7: nodes.search.algorithm.kind", "hurt", fault)


def test_a_broken_plug_in_is_listed_with_its_fault(shell: Shell) -> None:
    install(shell, "reward", BROKEN["imports"][0])
    text = shell("list", "reward").out
    assert "broken  [from hurt]\n    broken: ModuleNotFoundError: No module named 'not_installed_anywhere'" in text
    assert "calculator" in text
    listed = {one["kind"]: one for one in shell("list", "reward", "--json").json()["reward"]}
    assert "not_installed_anywhere" in listed["broken"]["broken"]
    assert listed["calculator"]["broken"] is None
    assert shell("schema").code == 0


def test_a_kind_of_the_same_name_in_another_role_is_not_blamed(shell: Shell) -> None:
    install(shell, "reward", BROKEN["imports"][0])
    refused = shell("check", shell.workflow(best_of_n="broken"))
    refused.refused("unknown kind 'broken'")
    assert "hurt" not in refused.err


def test_a_broken_task_is_refused_where_it_is_asked_for(shell: Shell) -> None:
    install(shell, "task", BROKEN["imports"][0])
    assert shell("check", shell.workflow(), "--tasks", "arithmetic:steps=2").code == 0
    shell("check", shell.workflow(), "--tasks", "broken").refused("the task kind 'broken'", "hurt", "not_installed")


def test_a_broken_backend_is_not_offered_as_one_that_can(shell: Shell) -> None:
    install(shell, "backend", OPTIONS.format(root="ModelOptions", kind="broken") + "def build(options): ...\n")
    text = shell.workflow().read_text().splitlines()
    text[2] = "  m: {kind: embedded, model: arithmetic-policy}"
    refused = shell("check", shell.write("w.yaml", "\n".join(text)))
    refused.refused("lacks 'chat'", "backends that have it: ")
    assert "broken" not in refused.err.rpartition("have it: ")[2]
    assert "broken: it defines no CAPABILITIES" in shell("list", "backend").out
