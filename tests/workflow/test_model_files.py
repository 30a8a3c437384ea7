"""Where files of embedded models are looked for: beside the workflow, and in the cache that the environment names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError, solve_sync
from branchwise.orchestrator.backends.catalogue import find
from branchwise.orchestrator.cli import main
from branchwise.orchestrator.workflow.load import load_workflow
from branchwise.orchestrator.workflow.validate import validate

FILE = """\
models:
  m: {kind: embedded, model: MODEL}
nodes:
  s: {kind: search, algorithm: {kind: greedy}, policy: {kind: solver, model: m, style: STYLE}}
"""


def placed(folder: Path) -> Path:
    """A copy of the shipped policy, called `mine`."""
    folder.mkdir(parents=True)
    policy = find("arithmetic-policy").path
    assert policy is not None
    return Path(shutil.copy(policy, folder / "mine.gguf"))


def written(folder: Path, model: str, style: str) -> Path:
    path = folder / "w.yaml"
    path.write_text(FILE.replace("MODEL", model).replace("STYLE", style))
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One that names a cache with `mine` in it."""
    placed(tmp_path / "cache" / "branchwise" / "models")
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_the_python_interface_asks_the_process(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy: dict[str, Any] = {"kind": "solver", "model": "m", "style": "completion", "prompt": "$problem\n"}
    search = {"kind": "search", "algorithm": {"kind": "greedy"}, "policy": {**policy, "max_tokens": 8}}
    workflow = {"models": {"m": {"kind": "embedded", "model": "mine"}}, "nodes": {"s": search}}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match="no model 'mine'"):
        solve_sync("1+1", workflow)
    monkeypatch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
    assert solve_sync("1+1", workflow).usage.calls == 1


def test_the_command_line_asks_the_environment_that_it_was_given(environment: dict[str, str], tmp_path: Path) -> None:
    path = str(written(tmp_path, "mine", "completion"))
    assert main(["check", path], environment) == 0
    assert main(["check", path], {"XDG_CACHE_HOME": str(tmp_path / "elsewhere")}) == 2


def test_what_a_model_beside_the_workflow_lacks_is_known_from_anywhere(tmp_path: Path) -> None:
    placed(tmp_path / "models")
    path = written(tmp_path, "models/mine.gguf", "chat")
    with pytest.raises(ConfigError, match=r"w\.yaml:4: nodes\.s\.policy: model 'm' \(embedded\) lacks 'chat'"):
        validate(load_workflow(path, {}))
