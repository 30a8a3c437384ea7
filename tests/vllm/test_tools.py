"""What is run beside a server: `branchwise doctor`, examples/gpu_check.py and the benchmark of saturation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from branchwise.orchestrator.cli import main
from tests.benchmarks.vllm_saturation import SEARCHES
from tests.vllm.server import Server
from tests.vllm.stories import BEAM, BY_PROCESS, flow, judged

ROOT = Path(__file__).parents[2]


def doctor(workflow: object, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and output of `branchwise doctor`."""
    path = folder / "w.yaml"
    path.write_text(yaml.safe_dump(workflow))
    code = main(["doctor", str(path)], {})
    return code, capsys.readouterr().out


def test_doctor_on_healthy_servers(
    policy: Server, process: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], note: list[str]
) -> None:
    code, out = doctor(judged(BEAM, policy, process, BY_PROCESS), tmp_path, capsys)
    note.append(f"branchwise doctor:\n{out}")
    assert code == 0
    assert "tokens/s" in out
    assert "scores/s" in out


def test_doctor_on_a_policy_that_only_scores(
    process: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = doctor(flow(BEAM, process), tmp_path, capsys)
    assert code == 2
    assert "models.policy: this server scores texts (it was started with --runner pooling) and can't write" in out


def test_doctor_on_a_reward_that_only_writes(
    policy: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = doctor(judged(BEAM, policy, policy, BY_PROCESS), tmp_path, capsys)
    assert code == 2
    assert "models.judge: this server writes texts and gives no scores: start it with --runner pooling" in out


def ran(*arguments: str) -> str:
    """The output of a module that is run from the repository's top."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gpu_check_runs_on_the_cpu(policy: Server, note: list[str]) -> None:
    bench = ("--vllm", str(policy.python), "--tokenizer", str(policy.folder))
    out = ran("examples.gpu_check", "--url", policy.url, "--model", policy.name, "--problems", "8", *bench)
    note.append(out.strip())
    assert "vLLM's benchmark: " in out


def test_saturation_counts_the_same_requests(policy: Server, note: list[str]) -> None:
    small = ("--problems", "8", "--pairs", "1", "--json")
    rows = json.loads(ran("tests.benchmarks.vllm_saturation", "--url", policy.url, "--model", policy.name, *small))
    assert [row["search"] for row in rows] == list(SEARCHES)
    for row in rows:
        note.append(
            f"{row['search']}: {row['tokens_per_second']:.0f} tokens/s, bare {row['bare_tokens_per_second']:.0f}"
        )
        assert row["requests"] >= 8
        assert row["share"] > 0
