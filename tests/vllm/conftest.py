"""Real vLLM servers for the tests beside this file: started at once, waited for when first needed, always killed.

``--vllm PYTHON`` names the Python of the environment that has vLLM (``make test-vllm`` gives it); without it the
tests are skipped, with it none is. At the end it is printed what was started, how long it took, and what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.server import Server

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
    if not config.stash[STARTED]:
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
    """Makes servers and keeps them to be killed."""

    def __init__(self, python: Path, logs: Path, started: list[Server]) -> None:
        self._python, self._logs, self._started = python, logs, started

    def start(self, folder: Path, name: str, *arguments: str) -> Server:
        """A server under way; ``wait`` for it."""
        log = self._logs / f"{len(self._started)}-{name}.log"
        server = Server(self._python, folder, name, log, arguments)
        self._started.append(server)
        server.start()
        return server


@pytest.fixture(scope="session")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Every server that it starts is killed at the end."""
    started = request.config.stash[STARTED]
    try:
        yield Fleet(request.config.getoption("--vllm"), tmp_path_factory.mktemp("vllm"), started)
    finally:
        for server in started:
            server.kill()


@pytest.fixture(scope="session")
def started(fleet: Fleet) -> dict[str, Server]:
    """The policy, a spare one to be killed, the outcome model and the process model under way, all at once."""
    tag = json.loads((MODELS / "process" / "config.json").read_text())["step_tag_id"]
    step_tag = ("--pooler-config", f'{{"step_tag_id": {tag}}}')
    return {
        "policy": fleet.start(MODELS / "policy", "arithmetic-policy", *EXACT, "--enable-prompt-tokens-details"),
        "spare": fleet.start(MODELS / "policy", "arithmetic-policy", *EXACT),
        "outcome": fleet.start(MODELS / "outcome", "arithmetic-outcome", *EXACT, *POOLING),
        "process": fleet.start(MODELS / "process", "arithmetic-process", *EXACT, *POOLING, *step_tag),
    }


@pytest.fixture(scope="session")
def policy(started: dict[str, Server]) -> Server:
    """The arithmetic policy, healthy."""
    return started["policy"].wait()


@pytest.fixture(scope="session")
def spare(started: dict[str, Server]) -> Server:
    """One more server with the policy, to be killed."""
    return started["spare"].wait()


@pytest.fixture(scope="session")
def outcome(started: dict[str, Server]) -> Server:
    """The arithmetic outcome model, healthy."""
    return started["outcome"].wait()


@pytest.fixture(scope="session")
def process(started: dict[str, Server]) -> Server:
    """The arithmetic process model, healthy."""
    return started["process"].wait()


@pytest.fixture
def note(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the summary."""
    return request.config.stash[NOTES]
