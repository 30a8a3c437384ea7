"""Real vLLM servers for the tests beside this file: started at once, waited for when first needed, always killed.

``--vllm PYTHON`` names the Python of the environment that has vLLM (``make test-vllm`` gives it); without it the
tests are skipped, with it none is. At the end it is printed what was started, how long it took, and what was asked.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from branchwise.orchestrator.backends.pulling import pull
from branchwise.orchestrator.core.errors import ConfigError
from tests.vllm.server import Server
from tests.vllm.spans import Collector

MODELS = Path(__file__).parents[2] / "tasks" / "arithmetic" / "models"
EXACT, POOLING = ("--dtype", "float32"), ("--runner", "pooling")
MARKS = (pytest.mark.live, pytest.mark.vllm, pytest.mark.timeout(600))
STARTED = pytest.StashKey[list[Server]]()
NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--vllm", type=Path, help="the Python of an environment that has vLLM")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED], config.stash[NOTES] = [], []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for mark in MARKS:
                item.add_marker(mark)
            if config.getoption("--vllm", None) is None:
                item.add_marker(pytest.mark.skip(reason="needs --vllm: make test-vllm"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.stash[STARTED] and not config.stash[NOTES]:
        return
    terminalreporter.section("vLLM")
    for server in config.stash[STARTED]:
        took = f"seen healthy after {server.start_seconds:.0f} s" if server.start_seconds else "not waited for"
        terminalreporter.line(f"{server.name} ({' '.join(server.arguments)}): {took}")
        for endpoint, count in sorted(server.requests().items()):
            terminalreporter.line(f"  {endpoint} {count}")
    for note in config.stash[NOTES]:
        terminalreporter.line(note)


class Fleet:
    """Makes servers and keeps them to be killed. ``notes`` are lines for the summary; spans go to ``collector``."""

    def __init__(
        self, python: Path, logs: Path, started: list[Server], notes: list[str], collector: Collector
    ) -> None:
        self.python, self.notes, self.collector = python, notes, collector
        self._logs, self._started = logs, started

    def start(self, folder: Path, name: str, *arguments: str) -> Server:
        """A server under way; ``wait`` for it."""
        log = self._logs / f"{len(self._started)}-{name}.log"
        server = Server(self.python, folder, name, log, arguments)
        self._started.append(server)
        server.start()
        return server


def policy_server(fleet: Fleet) -> Server:
    """The arithmetic policy, which obeys priorities."""
    name = "arithmetic-policy"
    told = ("--enable-prompt-tokens-details", "--scheduling-policy", "priority", *fleet.collector.arguments(name))
    return fleet.start(MODELS / "policy", name, *EXACT, *told)


def spare_server(fleet: Fleet) -> Server:
    """One more with it, which takes adapters, and is killed in the end."""
    return fleet.start(MODELS / "policy", "arithmetic-policy", *EXACT, "--enable-lora", "--max-lora-rank", "8")


def labels_server(fleet: Fleet) -> Server:
    """The arithmetic process reward model that writes its labels, with the policy's tokenizer."""
    return fleet.start(MODELS / "prm", "arithmetic-prm", *EXACT)


def outcome_server(fleet: Fleet) -> Server:
    """The arithmetic outcome model; as a reranker it reads query and document as the two turns of a conversation."""
    name, folder = "arithmetic-outcome", MODELS / "outcome"
    template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    told = ("--chat-template", template, *fleet.collector.arguments(name))
    return fleet.start(folder, name, *EXACT, *POOLING, *told)


def process_server(fleet: Fleet) -> Server:
    """The arithmetic process model."""
    tag = json.loads((MODELS / "process" / "config.json").read_text())["step_tag_id"]
    step_tag = ("--pooler-config", f'{{"step_tag_id": {tag}}}')
    return fleet.start(MODELS / "process", "arithmetic-process", *EXACT, *POOLING, *step_tag)


def smollm2_server(fleet: Fleet) -> Server | None:
    """SmolLM2 out of the GGUF that `branchwise models pull` fetches; None, with a note, where it can't be had."""
    folder = fleet.python.parents[1] / "smollm2-135m"
    try:
        gguf = pull(folder.name)
    except ConfigError as error:
        fleet.notes.append(f"SmolLM2 is left out: {error}")
        return None
    if not folder.exists():
        begun = time.monotonic()
        convert = [fleet.python, Path(__file__).with_name("unquantized.py"), gguf, folder]
        subprocess.run(convert, check=True, capture_output=True)
        fleet.notes.append(f"{folder.name} out of its GGUF in {time.monotonic() - begun:.0f} s")
    tools = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    return fleet.start(folder, folder.name, "--max-model-len", "2048", "--enable-prompt-tokens-details", *tools)


SERVERS = {"policy": policy_server, "spare": spare_server, "labels": labels_server, "outcome": outcome_server,
           "process": process_server, "smollm2": smollm2_server}  # fmt: skip


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Every server that it starts is killed at the end."""
    started, notes = request.config.stash[STARTED], request.config.stash[NOTES]
    with Collector() as collector:
        try:
            logs = tmp_path_factory.mktemp("vllm")
            yield Fleet(request.config.getoption("--vllm"), logs, started, notes, collector)
        finally:
            for server in started:
                server.kill()


@pytest.fixture(scope="session")
def started(request: pytest.FixtureRequest, fleet: Fleet) -> dict[str, Server | None]:
    """The servers that the chosen tests need under way, all at once."""
    needed = {name for item in request.session.items for name in item.fixturenames}  # type: ignore[attr-defined]
    return {name: start(fleet) for name, start in SERVERS.items() if name in needed}


def healthy(started: dict[str, Server | None], name: str) -> Server:
    """The server once it answers; the test is skipped where there is none."""
    server = started[name]
    if server is None:
        pytest.skip(f"there is no {name}: the summary says why")
    return server.wait()


@pytest.fixture(scope="session")
def policy(started: dict[str, Server | None]) -> Server:
    """The arithmetic policy, healthy."""
    return healthy(started, "policy")


@pytest.fixture(scope="session")
def spare(started: dict[str, Server | None]) -> Server:
    """One more server with the policy, to be killed."""
    return healthy(started, "spare")


@pytest.fixture(scope="session")
def labels(started: dict[str, Server | None]) -> Server:
    """The arithmetic process reward model that writes, healthy."""
    return healthy(started, "labels")


@pytest.fixture(scope="session")
def outcome(started: dict[str, Server | None]) -> Server:
    """The arithmetic outcome model, healthy."""
    return healthy(started, "outcome")


@pytest.fixture(scope="session")
def process(started: dict[str, Server | None]) -> Server:
    """The arithmetic process model, healthy."""
    return healthy(started, "process")


@pytest.fixture(scope="session")
def smollm2(started: dict[str, Server | None]) -> Server:
    """SmolLM2 in bfloat16, healthy."""
    return healthy(started, "smollm2")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the summary."""
    return request.config.stash[NOTES]
