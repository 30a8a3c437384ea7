"""`branchwise doctor` on healthy, mis-configured and dead endpoints: what it says, and its exit code."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.benchmarks.server_process import ServerProcess
from tests.cli.conftest import Ran, Shell

FLOW = """\
models:
  policy: {{kind: openai, url: "{url}", model: {model}, retries: 0, capabilities: {{{can}}}}}
nodes:
  search:
    kind: search
    algorithm: {{kind: best_of_n, n: 2}}
    policy: {{kind: solver, model: policy, style: {style}, prompt: "$problem", max_tokens: 8}}
    {reward}
"""
LABELLED = "reward: {kind: label_token, model: policy, reducer: last}"


def examined(shell: Shell, url: str, *arguments: str, model: str = "m", reward: str = "", can: str = "") -> Ran:
    style = "chat" if not reward else "completion"
    text = FLOW.format(url=url, model=model, style=style, reward=reward, can=can)
    return shell(
        "doctor", shell.write("w.yaml", text.replace(', prompt: "$problem"', "") if not reward else text), *arguments
    )


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess() as running:
        yield running


def test_a_healthy_endpoint(shell: Shell, server: ServerProcess) -> None:
    ran = examined(shell, server.url, reward=LABELLED, can="logprobs: true")
    assert ran.code == 0, ran
    heading, row = ran.out.splitlines()
    assert heading.split()[:4] == ["model", "kind", "address", "serves"]
    assert row.startswith(f"policy  openai  {server.url}  m")
    assert "completion, logprobs" in row
    assert "tokens/s (16 at once)" in row


def test_as_json(shell: Shell, server: ServerProcess) -> None:
    (one,) = examined(shell, server.url, "--json").json()["models"]
    assert (one["healthy"], one["servers"][0]["serves"], one["to_change"]) == (True, ["m"], [])
    assert one["tried"]["chat"] is True
    assert one["requests_per_second"] > 0


def test_a_dead_endpoint(shell: Shell) -> None:
    with ServerProcess() as gone:
        url = gone.url
    ran = examined(shell, url)
    assert ran.code == 2
    assert f"models.policy.url: nothing usable answers at {url}" in ran.out
    assert "is the server started?" in ran.out
    assert "Traceback" not in ran.err


def test_a_wrong_model_name(shell: Shell, server: ServerProcess) -> None:
    ran = examined(shell, server.url, model="llama")
    assert ran.code == 2
    assert "models.policy.model: 'llama' is not served there; served: m." in ran.out


def test_an_address_without_v1(shell: Shell, server: ServerProcess) -> None:
    ran = examined(shell, server.url.removesuffix("/v1"))
    assert ran.code == 2
    assert f"did you mean {server.url}?" in ran.out


def test_a_declared_capability_that_is_overlooked(shell: Shell) -> None:
    with stub(
        {"/v1/models": {"data": [{"id": "m"}]}}, choices=[{"index": 0, "text": "x", "finish_reason": "stop"}]
    ) as url:
        ran = examined(shell, url, reward=LABELLED, can="logprobs: true")
    assert ran.code == 2
    assert "logprobs FAILS" in ran.out
    assert "models.policy: needed for 'logprobs', and it fails:" in ran.out
    assert "log-probabilities were asked for and not sent" in ran.out
    assert "'completion'" not in ran.out


def test_a_scoring_server_where_one_that_writes_is_needed(shell: Shell) -> None:
    pages = {"/v1/models": {"data": [{"id": "m"}]}, "/version": {"version": "0.32.0"}}
    with stub(pages | {"/openapi.json": {"paths": {"/pooling": {}, "/classify": {}}}}) as url:
        ran = examined(shell, url)
    assert ran.code == 2
    assert "m (0.32.0)" in ran.out
    assert "this server scores texts (it was started with --runner pooling) and can't write" in ran.out


def test_a_server_that_wants_a_key(shell: Shell) -> None:
    with stub({}, status=401) as url:
        ran = examined(shell, url)
    assert ran.code == 2
    assert "models.policy.api_key: HTTP 401" in ran.out


@pytest.mark.parametrize("page", ["not JSON", [], {"data": 3}, {"data": [3, {"id": None}]}])
def test_a_server_that_talks_nonsense(shell: Shell, page: Any) -> None:
    with stub({"/v1/models": page, "/openapi.json": {"paths": []}}) as url:
        ran = examined(shell, url)
    assert (ran.code, "Traceback" in ran.err) == (2, False)
    assert "To change:" in ran.out


def test_models_in_process_are_tried_too(shell: Shell) -> None:
    ran = shell("doctor", shell.workflow(), "--json")
    (one,) = ran.json()["models"]
    assert (ran.code, one["servers"], one["healthy"]) == (0, [], True)


def test_a_workflow_that_is_wrong_is_refused_as_by_check(shell: Shell) -> None:
    shell("doctor", shell.workflow(max_tokens="max_token")).refused("w.yaml:8", "max_token")


def test_whether_a_priority_is_obeyed_is_not_to_be_seen(shell: Shell, server: ServerProcess) -> None:
    text = FLOW.format(url=server.url, model="m", style="chat", reward="", can="").replace(', prompt: "$problem"', "")
    ran = shell("doctor", shell.write("w.yaml", text.replace("kind: openai", "kind: vllm_server, priority: 1")))
    assert ran.code == 0, ran
    assert "Not to be seen from here:\n- models.policy.priority: obeyed by a server" in ran.out
    assert "Not to be seen" not in examined(shell, server.url).out


def test_each_replica_is_asked(shell: Shell, server: ServerProcess) -> None:
    with ServerProcess() as gone:
        dead = gone.url
    text = FLOW.format(url=server.url, model="m", style="chat", reward="", can="").replace(', prompt: "$problem"', "")
    text = text.replace("kind: openai", "kind: vllm_server").replace(
        f'url: "{server.url}"', f'urls: ["{server.url}", "{dead}"]'
    )
    ran = shell("doctor", shell.write("w.yaml", text))
    assert ran.code == 2
    assert ran.out.count("nothing usable answers") == 1
    assert f"models.policy.url: nothing usable answers at {dead}" in ran.out


@contextmanager
def stub(pages: dict[str, Any], status: int = 404, choices: list[Any] | None = None) -> Iterator[str]:
    """A server that has these pages, answers posts with ``choices``, and the rest with ``status``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.answer(status if page is None else 200, page)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(status if choices is None else 200, {"choices": choices})

        def answer(self, code: int, content: Any) -> None:
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
