"""vLLM within a process says what it says behind a server: a real engine, in the environment that has vLLM."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.backends import vllm_server
from branchwise.orchestrator.backends.vllm_engine import DEAD
from tests.vllm.asked import answers
from tests.vllm.server import SETTINGS, Server

REPOSITORY = Path(__file__).parents[2]


async def answers_of(server: Server) -> dict[str, Any]:
    backend = vllm_server.build(vllm_server.Options(url=server.url, model=server.name))
    try:
        return await answers(backend)
    finally:
        await backend.aclose()


def test_the_engine_in_process_answers_as_the_server(policy: Server, note: list[str], tmp_path: Path) -> None:
    said = tmp_path / "answers.json"
    command = [str(policy.python), "-m", "tests.vllm.asked", str(policy.folder), str(said)]
    environment = os.environ | SETTINGS | {"PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert said.exists(), ran.stderr[-3000:]
    engine = json.loads(said.read_text())
    server = asyncio.run(answers_of(policy))
    assert engine["answers"].keys() == server.keys()
    for name, draws in server.items():
        for ours, theirs in zip(engine["answers"][name], draws, strict=True):
            assert ours.pop("logprobs") == pytest.approx(theirs.pop("logprobs"), abs=1e-3), name
            assert ours == theirs, name
    assert "maximum context length" in engine["overflow"]
    assert engine["cancelled"]
    assert engine["after that"] == server["a step"][0]["text"]
    took = f"{engine['seconds']:.0f} s with its start"
    note.append(f"vllm_engine: {len(server)} questions answered as by the server, {took}")


def test_an_engine_that_has_died_says_so_by_the_error_that_is_looked_for(policy: Server) -> None:
    program = f"from vllm.v1.engine.exceptions import {DEAD} as dead; print(dead.__module__)"
    command = [str(policy.python), "-c", program]
    ran = subprocess.run(command, env=os.environ | SETTINGS, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1:] == ["vllm.v1.engine.exceptions"], ran.stderr[-3000:]
