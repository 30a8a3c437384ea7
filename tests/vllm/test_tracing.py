"""A run's requests in a tracing system: the servers' own spans stand in the traces that `branchwise report` names."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.cli import main
from branchwise.orchestrator.core.request import Request
from tests.vllm.conftest import Fleet
from tests.vllm.server import Server
from tests.vllm.spans import Span
from tests.vllm.stories import BEST_OF_8, BY_OUTCOME, judged, solved

PROBLEMS, PATIENCE_SECONDS = 3, 20.0


def test_the_servers_spans_stand_in_the_traces_that_the_report_names(
    policy: Server,
    outcome: Server,
    fleet: Fleet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    note: list[str],
) -> None:
    workflow = judged(BEST_OF_8, policy, outcome, BY_OUTCOME)
    for model in workflow["models"].values():
        model["traceparent"] = True
    solved(workflow, problems=PROBLEMS, out=tmp_path)
    assert main(["report", str(tmp_path), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    traces = {problem["trace"] for problem in run["problems"]}
    assert len(traces) == PROBLEMS

    def of(server: Server) -> list[Span]:
        return [span for span in fleet.collector.spans if span.server == server.name]

    until = time.monotonic() + PATIENCE_SECONDS
    while (len(of(policy)) < 8 * PROBLEMS or told(of(outcome)) < traces) and time.monotonic() < until:
        time.sleep(0.1)
    assert Counter(span.trace for span in of(policy)) == dict.fromkeys(traces, 8)
    assert told(of(outcome)) == traces  # equal answers are judged once
    calls = {span.parent for span in of(outcome)}
    assert len(calls) == len(of(outcome))
    note.append(f"best-of-8 over {PROBLEMS} problems: {len(of(policy))} spans of the policy's server, {len(calls)} "
                f"of the outcome model's, in the {PROBLEMS} traces that the report names")  # fmt: skip


async def test_a_server_that_reports_nothing_takes_the_header(labels: Server) -> None:
    backend = build(Options(url=labels.url, model=labels.name, traceparent=True))
    await backend.generate(Request(prompt="1+1=2\n", max_tokens=1))
    await backend.aclose()
    assert "trace context but tracing is disabled" in labels.log.read_text()


def told(spans: list[Span]) -> set[str]:
    """The traces that they stand in."""
    return {span.trace for span in spans}
