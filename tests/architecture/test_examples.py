"""The scripts in examples/ run as they are, say something, and stay short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {"__init__.py", "gpu_check.py"}
"""No script, and what needs a vLLM server: tests/vllm runs it."""

SCRIPTS = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name not in ELSEWHERE)
SAID = {
    "solve_batch.py": "right: ",
    "in_your_own_graph.py": "12+30*2 is ",
    "own_reward.py": "judged ",
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.name))
def test_an_example_runs_from_any_folder(script: Path, tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert SAID[script.name] in ran.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.name))
def test_an_example_is_short(script: Path) -> None:
    code = [line for line in script.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(code) <= 40
