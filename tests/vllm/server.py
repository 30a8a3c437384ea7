"""A real vLLM server as a process of its own: started, waited for, asked, and always killed.

It listens on the loopback only. What it was asked is read from its own log of requests.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "TORCHDYNAMO_DISABLE": "1",  # or the first request waits most of a minute for a compiler
    "VLLM_SERVER_DEV_MODE": "1",  # for /reset_prefix_cache
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds until spans are sent
}
ARGUMENTS = ("--host", "127.0.0.1", "--enforce-eager", "--block-size", "32", "--max-num-seqs", "32",
             "--num-gpu-blocks-override", "1024")  # fmt: skip
"""So many blocks are enough for models this small, and save each server a GiB."""
POLLED_EVERY_SECONDS = 0.5
_REQUEST = re.compile(r'"(?:GET|POST) (/[^ ?"]*)[^"]*" (\d{3})')


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def post(server: Server, path: str, body: dict[str, Any]) -> Any:
    """The JSON answer to a JSON body; urllib's HTTPError for a refusal."""
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(server.root + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=120) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@dataclass
class Server:
    """One model on one port. ``python`` is that of the environment that has vLLM."""

    python: Path
    folder: Path
    name: str
    log: Path
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    start_seconds: float | None = None
    _process: subprocess.Popen[bytes] | None = None
    _begun: float = 0.0

    @property
    def root(self) -> str:
        """Address without a path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Base address of the OpenAI protocol."""
        return f"{self.root}/v1"

    def start(self) -> None:
        """Start the process; it answers much later."""
        command = [str(self.python), "-m", "vllm.entrypoints.cli.main", "serve", str(self.folder)]
        named = ["--port", str(self.port), "--served-model-name", self.name, *ARGUMENTS, *self.arguments]
        self._begun, self.start_seconds = time.monotonic(), None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command + named, stdout=log, stderr=log, env=os.environ | SETTINGS, start_new_session=True
            )

    def wait(self, timeout_seconds: float = 420.0) -> Server:
        """Until it is healthy; RuntimeError with the end of its log if it dies or takes too long."""
        assert self._process is not None
        while time.monotonic() < self._begun + timeout_seconds and self._process.poll() is None:
            if self.healthy():
                self.start_seconds = self.start_seconds or time.monotonic() - self._begun
                return self
            time.sleep(POLLED_EVERY_SECONDS)
        tail = self.log.read_text(errors="replace")[-3000:]
        self.kill()
        raise RuntimeError(f"vLLM with {self.folder} did not become healthy:\n{tail}")

    def healthy(self) -> bool:
        """Whether /health answers 200."""
        try:
            with urllib.request.urlopen(f"{self.root}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL to it and all its workers; nothing of it is left when this returns."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._process = None

    def metric(self, name: str) -> float:
        """The sum of a counter or gauge over its labels, such as ``vllm:generation_tokens_total``."""
        with urllib.request.urlopen(f"{self.root}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{re.escape(name)}[ {{]", line))

    def requests(self) -> Counter[str]:
        """How often each endpoint was asked, with the status it answered if not 200; polling left out."""
        found: Counter[str] = Counter()
        for path, status in _REQUEST.findall(self.log.read_text(errors="replace")):
            if path not in ("/health", "/metrics"):
                found[path if status == "200" else f"{path} ({status})"] += 1
        return found
