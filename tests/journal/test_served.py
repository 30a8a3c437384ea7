"""What a run keeps of the servers that its models are served by: their version, which changes nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from branchwise.orchestrator import session as opening
from branchwise.orchestrator.backends.listening import Listener
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.journal.reader import recorded
from branchwise.orchestrator.report.collect import collect
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import Loaded, read_workflow
from tests.vllm_like import VLLMLike


class Telling(VLLMLike):
    """A server that counts who asks for its version."""

    versions = 0

    async def _tell(self, request: web.Request) -> web.Response:
        self.versions += request.path == "/version"
        return await super()._tell(request)


def loaded(url: str, **changes: Any) -> Loaded:
    model = {"kind": "vllm_server", "url": url, "retries": 0}
    models = {"policy": model | {"model": "m"} | changes, "other": model | {"model": "m", "extra": {"min_p": 0.1}}}
    policy = {"kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem"}
    node = {"kind": "search", "algorithm": {"kind": "best_of_n", "n": 1}, "policy": policy}
    return read_workflow({"models": models, "nodes": {"search": node}}, {}, Path())


async def run(url: str, out: Path, **settings: Any) -> tuple[str, ...]:
    """Run, or resume; what is worth saying."""
    async with open_session(loaded(url), as_task(["1+2"]), Settings(out=out, **settings)) as session:
        assert [result.answer async for result in session.results()]
        return session.notes


def served(out: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((out / "plan.json").read_text())["served"]
    return found


async def test_the_version_is_asked_once_a_server_and_shown(tmp_path: Path) -> None:
    async with Telling() as server:
        assert await run(server.url, tmp_path / "run") == ()
        assert server.versions == 1
    assert served(tmp_path / "run") == {"policy": "vLLM 0.32.0", "other": "vLLM 0.32.0"}
    (strategy,) = collect([tmp_path / "run"], "now").strategies
    assert {model.facts.get("served by") for model in strategy.models} == {"vLLM 0.32.0"}


async def test_another_version_is_told_on_resume_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Telling() as server:
        await run(server.url, tmp_path / "run")
        monkeypatch.setattr(opening, "told", lambda address, key: Listener(version="0.33.0"))
        notes = await run(server.url, tmp_path / "run")
    assert (
        notes[0] == "the model 'policy' was served by vLLM 0.32.0 when the run was started, and is by vLLM 0.33.0 now"
    )
    with recorded(tmp_path / "run") as journal:
        assert journal.manifest.served["policy"] == "vLLM 0.32.0"


@pytest.mark.parametrize("path", ["/version", "/"])
async def test_a_server_that_does_not_say_is_no_reason_to_stop(tmp_path: Path, path: str) -> None:
    class Silent(VLLMLike):
        async def _tell(self, request: web.Request) -> web.Response:
            return web.Response(text="<html>") if request.path.startswith(path) else await super()._tell(request)

    async with Silent() as server:
        await run(server.url, tmp_path / "run")
        assert served(tmp_path / "run") == {}
    with pytest.raises(ConfigError, match=r"models\.policy\.url: nothing answers at .*: is the server started\?"):
        await run(server.url, tmp_path / "other")
    assert not (tmp_path / "other").exists()


async def test_a_model_that_is_not_served_is_told_of_before_anything_is_paid(tmp_path: Path) -> None:
    async with Telling() as server:
        asked = loaded(server.url, model="llama", adapter={"name": "solver"})
        with pytest.raises(ConfigError) as refused:
            async with open_session(asked, as_task(["1+2"]), Settings(out=tmp_path / "run")):
                pass
        assert server.bodies("/v1/completions") == []
    assert "models.policy.model: 'llama' is not served at http://127.0.0.1:" in str(refused.value)
    assert "; served: m. Write one of these names, or start the server with --served-model-name" in str(refused.value)
    assert "models.policy.adapter.name: 'solver' is not served" in str(refused.value)
    assert not (tmp_path / "run").exists()


async def test_a_server_that_was_there_is_waited_for_before_its_first_answer() -> None:
    async with Telling() as server, open_session(loaded(server.url), as_task(["1+2"]), Settings()) as session:
        await server.stop()
        results = asyncio.create_task(anext(session.results()))
        await asyncio.sleep(0.1)
        await server.start()
        assert (await results).failures == ()


async def test_a_replay_asks_nobody(tmp_path: Path) -> None:
    async with Telling() as server:
        await run(server.url, tmp_path / "run")
        await run(server.url, tmp_path / "again", replay=True, reuse=(tmp_path / "run",))
        assert server.versions == 1
