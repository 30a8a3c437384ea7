"""Secrets stay out of messages and of the plan on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError
from branchwise.orchestrator.workflow.load import load_workflow, read_workflow
from branchwise.orchestrator.workflow.secrecy import recordable


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


@pytest.mark.parametrize(
    "model",
    [
        {"api_key": "SECRET"},
        {"api_key": "pre-SECRET${KEY}"},
        {"url": "http://localhost:1/v1?key=SECRET"},
        {"extra": {"api_key": "SECRET", "top_k": 3}},
    ],
)
def test_a_secret_that_was_written_out_is_not_put_on_record(model: dict[str, Any]) -> None:
    loaded = read_workflow(flow(**model), {"KEY": "x"}, Path())
    assert "SECRET" not in str(recordable(loaded))


@pytest.mark.parametrize("name", ["api_key", "X-API-Key", "auth_token", "client_secret", "Password", "Authorization"])
def test_a_telling_name_hides_its_value_in_messages_and_on_record_alike(name: str) -> None:
    for extra in ({name: "hunter2"}, {"headers": {name: "hunter2"}}, {"servers": [{name: "hunter2"}]}):
        assert "hunter2" not in str(recordable(read_workflow(flow(extra=extra), {}, Path())))
    with pytest.raises(ConfigError, match=name) as wrong:
        read_workflow(flow(capabilities={name: "hunter2"}), {}, Path())
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize("name", ["min_tokens", "stop_token_ids", "top_k"])
def test_a_name_that_tells_nothing_hides_nothing(name: str) -> None:
    recorded = recordable(read_workflow(flow(extra={"kwargs": {name: [3]}}), {}, Path()))
    assert recorded["models"]["m"]["extra"] == {"kwargs": {name: [3]}}
    with pytest.raises(ConfigError, match="got 'seven'"):
        read_workflow(flow(capabilities={name: "seven"}), {}, Path())


def test_a_secret_from_the_environment_is_recorded_by_its_name() -> None:
    loaded = read_workflow(flow(api_key="${KEY}"), {"KEY": "SECRET"}, Path())
    assert recordable(loaded)["models"]["m"]["api_key"] == "${KEY}"


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
