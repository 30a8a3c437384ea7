"""Transport: where a model runs and how fast may change on resume; what it is asked, and who answers, may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator import session as opening
from branchwise.orchestrator.backends.listening import Listener
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.plugins import kinds
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import read_workflow

SERVER: dict[str, Any] = {"kind": "vllm_server", "url": "http://a:1/v1", "model": "m"}
ELSEWHERE = {
    "url": None, "urls": ["http://b:1", "http://c:1"], "load_cap": 2.0, "health_seconds": 9.0, "api_key": "key",
    "connect_timeout_seconds": 1.0, "first_byte_timeout_seconds": 2.0, "streaming": False, "stream_interval": 1,
    "traceparent": True, "priority": 1, "max_in_flight": 3, "retries": 0, "timeout_seconds": 1.0,
}  # fmt: skip
OTHER = [
    {"model": "n"}, {"adapter": {"name": "a"}}, {"logprobs_mode": "processed"}, {"token_ids": False},
    {"extra": {"dtype": "float16"}}, {"capabilities": {"seed": False}}, {"price": {"prompt": 1.0}},
    {"outcome_endpoint": "pooling"}, {"kind": "openai"},
]  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts here is what was written: there are no such servers."""
    monkeypatch.setattr(opening, "told", lambda server, key: Listener())


async def begin(directory: Path, model: dict[str, Any]) -> None:
    plan = {
        "models": {"policy": model},
        "nodes": {"answer": {"kind": "agent", "agent": {"kind": "solver", "model": "policy"}}},
    }
    async with open_session(read_workflow(plan, {}, Path()), as_task(["1+2"]), Settings(out=directory)):
        pass


async def test_a_run_goes_on_where_its_model_runs_elsewhere(tmp_path: Path) -> None:
    await begin(tmp_path, SERVER)
    await begin(tmp_path, SERVER | ELSEWHERE)


@pytest.mark.parametrize("other", OTHER, ids=lambda other: next(iter(other)))
async def test_it_does_not_where_something_else_is_asked(tmp_path: Path, other: dict[str, Any]) -> None:
    await begin(tmp_path, SERVER)
    with pytest.raises(ConfigError, match="started with something else"):
        await begin(tmp_path, SERVER | other)


@pytest.mark.parametrize("kind", kinds("backend").values(), ids=lambda kind: kind.name)
def test_transport_names_options_and_the_common_ones(kind: Any) -> None:
    options = kind.module.Options
    assert ModelOptions.TRANSPORT <= options.TRANSPORT <= set(options.model_fields) - {"kind", "model", "price"}
