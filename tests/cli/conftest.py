"""A shell for the tests of the command line: the real command, in a process and a folder of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

COMMAND = (sys.executable, "-m", "branchwise.orchestrator.cli")
WORKFLOW = """\
name: trial
models:
  m: {kind: scripted, answers: ["2+2=4\\n\\nThe answer is 4", "The answer is 5", "so 4", "The answer is 4"]}
nodes:
  search:
    kind: search
    algorithm: {kind: best_of_n, n: 4}
    policy: {kind: solver, model: m, max_tokens: 64}
"""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON object on standard output."""
        return json.loads(self.out)

    def refused(self, *words: str) -> None:
        """Assert that the input was refused with a message that has these words, and nothing else happened."""
        assert (self.code, self.out) == (2, ""), self
        assert "Traceback" not in self.err, self.err
        assert self.err.startswith("branchwise"), self.err
        for word in words:
            assert word in self.err, self.err


@dataclass(frozen=True)
class Shell:
    """Runs `branchwise` in ``folder``."""

    folder: Path

    def __call__(self, *arguments: str | Path, **environment: str) -> Ran:
        """Run to the end."""
        ran = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=100,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Start without waiting."""
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def workflow(self, **replaced: str) -> Path:
        """The scripted workflow, pieces of its text replaced; ``kind__scripted`` is ``kind: scripted``."""
        text = WORKFLOW
        for old, new in replaced.items():
            assert old.replace("__", ": ") in text
            text = text.replace(old.replace("__", ": "), new)
        return self.write("w.yaml", text)

    def questions(self, count: int = 3) -> Path:
        """A task file."""
        rows = [{"id": f"q{k}", "question": f"What is 2 + {k}?", "answer": str(2 + k)} for k in range(count)]
        return self.write("q.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in an empty folder."""
    return Shell(tmp_path)
