"""`branchwise doctor` on healthy, mis-configured and dead endpoints: what it says, and its exit code."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.benchmarks.server_process import ServerProcess
from tests.cli.conftest import Ran, Shell
from tests.vllm_like import VLLMLike

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
LABELLED = "reward: {kind: label_token, model: policy, reducer: last, good: alt0, bad: alt1}"
SCORED = """\
models:
  policy: {{kind: scripted, answers: ["2"]}}
  rm: {{kind: vllm_server, url: "{url}", model: m, runner: {runner}}}
nodes:
  search:
    kind: search
    algorithm: {{kind: best_of_n, n: 2}}
    policy: {{kind: solver, model: policy}}
    reward: {{model: rm, style: completion, {reward}}}
"""
PROCESS = 'kind: process_model, step_tag: "\\n\\n", reducer: min'


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
    heading, row, *judged = ran.out.splitlines()
    assert heading.split()[:4] == ["model", "kind", "address", "serves"]
    assert row.startswith(f"policy  openai  {server.url}  m")
    assert "completion, logprobs" in row
    assert "tokens/s (16 at once)" in row
    assert judged[-1].startswith("- nodes.search.reward (label_token): 0."), ran


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
    assert f"models.policy.model: 'llama' is not served at {server.url}; served: m." in ran.out


def test_more_tokens_than_the_server_has(shell: Shell) -> None:
    listed = {"/v1/models": {"data": [{"id": "m", "max_model_len": 8}]}, "/version": {"version": "0.32.0"}}
    with stub(listed) as url:
        ran = examined(shell, url)
    assert ran.code == 2
    assert "nodes.search.policy.max_tokens: 8 leaves no room for a prompt in the 8 tokens of 'policy' at" in ran.out


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
    assert f"models.policy.urls: nothing usable answers at {dead}" in ran.out


async def scored(shell: Shell, server: VLLMLike, reward: str, *arguments: str, runner: str = "pooling") -> Ran:
    """What the doctor says of a reward over this server."""
    text = SCORED.format(url=server.url, reward=reward, runner=runner)
    return await asyncio.to_thread(shell, "doctor", shell.write("w.yaml", text), *arguments)


async def test_a_reward_judges_two_steps_in_its_own_way(shell: Shell) -> None:
    async with VLLMLike(values=[[0.0, 2.0], [0.0, 1.0]]) as server:
        ran = await scored(shell, server, PROCESS)
        asked = [body["input"] for body in server.bodies("/pooling")]
        assert ran.code == 0, ran
        assert "- nodes.search.reward (process_model): 0.7311, steps 0.8808, 0.7311" in ran.out
        assert "scores/s (16 at once)" in ran.out
        assert (len(asked), set(asked)) == (17, {"1+1+1\n1+1=2\n\n2+1=3\n\n"})
        (found,) = (await scored(shell, server, PROCESS, "--json")).json()["judged"]
    assert (found["place"], len(found["step_values"]), found["to_change"]) == ("nodes.search.reward", 2, "")
    assert [path.name for path in shell.folder.iterdir()] == ["w.yaml"]


@pytest.mark.parametrize(
    ("values", "reward", "message"),
    [
        ([[0.5], [0.5]], PROCESS, "a softmax over a single number is always 1; use sigmoid"),
        ([[0.1, 0.5]], PROCESS, "1 rows of numbers for 2 steps: is '\\n\\n' one token"),
        ([0.5], "kind: outcome_model, column: 1", "the model gives 1 numbers, there is no column 1"),
    ],
)
async def test_a_reward_that_can_judge_nothing(shell: Shell, values: list[Any], reward: str, message: str) -> None:
    async with VLLMLike(values=values) as server:
        ran = await scored(shell, server, reward)
    assert ran.code == 2
    assert "- nodes.search.reward (" in ran.out
    assert "can't judge a solution of two steps: " in ran.out
    assert message in ran.out


async def test_the_labels_that_are_tried_are_the_workflows(shell: Shell) -> None:
    reward = "kind: label_token, reducer: last, exact: true"
    async with VLLMLike() as server:
        long = await scored(shell, server, f'{reward}, good: "1+", bad: "2+"', runner="generate")
        good = await scored(shell, server, f'{reward}, good: "1", bad: "2"', runner="generate")
    assert (long.code, good.code) == (2, 0)
    assert (
        "nodes.search.reward: label_token can't judge a solution of two steps: the label '1+' is 2 tokens" in long.out
    )
    assert "nodes.search.reward (label_token): 0.5, steps 0.5, 0.5" in good.out


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
