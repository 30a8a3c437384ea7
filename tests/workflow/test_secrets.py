"""Secrets stay out of messages and of the plan on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError
from branchwise.orchestrator.workflow.facts import recordable
from branchwise.orchestrator.workflow.load import load_workflow, read_workflow


def flow(**model: Any) -> dict[str, Any]:
    policy = {"kind": "solver", "model": "m"}
    return {
        "models": {"m": {"kind": "openai", "url": "http://localhost:1/v1", "model": "x", **model}},
        "nodes": {"s": {"kind": "search", "algorithm": {"kind": "greedy"}, "policy": policy}},
    }


@pytest.mark.parametrize(
    "model",
    [{"api_key": "${KEY}"}, {"api_key": ["SECRET"]}, {"url": "ftp://user:SECRET@host/"}, {"url": "${URL}"}],
)
def test_an_error_does_not_repeat_a_secret(model: dict[str, Any]) -> None:
    environment = {"KEY": "SECRET\u00e9", "URL": "gopher://host/?key=SECRET"}
    with pytest.raises(ConfigError) as wrong:
        read_workflow(flow(**model), environment, Path())
    assert "SECRET" not in str(wrong.value)


@pytest.mark.parametrize("key", ["SECRET", "pre-SECRET${KEY}"])
def test_a_key_that_was_written_out_is_not_put_on_record(key: str) -> None:
    loaded = read_workflow(flow(api_key=key), {"KEY": "x"}, Path())
    assert "SECRET" not in str(recordable(loaded))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [*a]\n", "nested too deeply|not YAML"),
        ("models: {}\nmodels: {}\n", "bad.yaml:2: models: written twice"),
    ],
)
def test_odd_yaml_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_workflow(tmp_path / "bad.yaml", {})
