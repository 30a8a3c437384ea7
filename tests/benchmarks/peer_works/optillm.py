"""optillm: a proxy that searches behind the model's name. Its CPU time is the proxy's, its start is not timed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.peer_works.measuring import BEST_OF_8, MCTS, Run, Took, main, said

requests: Any = import_module("requests")
PORT, START_SECONDS = 18_766, 120
ADDRESS = f"http://127.0.0.1:{PORT}/v1/chat/completions"
SERVE = "from optillm.server import main; main()"


@contextmanager
def proxy(url: str, *options: str) -> Iterator[int]:
    """The proxy in front of a server: its process."""
    command = [sys.executable, "-c", SERVE, "--base-url", url, "--port", str(PORT), "--model", "m", "--log", "error"]
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([*command, *options], env=environment, stdout=quiet, stderr=quiet)
    try:
        _await(f"http://127.0.0.1:{PORT}/health", process)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _await(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(4 * START_SECONDS):
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.25)
        if process.poll() is not None:
            break
    raise SystemExit("the proxy did not start")


def cpu_seconds_of(pid: int) -> float:
    """CPU time of another process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def through(approach: str, problems: int, *options: str) -> Callable[[str], Took]:
    """A thread a problem; the CPU time is the proxy's."""

    def ask(number: int) -> str:
        body = {"model": f"{approach}-m", "messages": [{"role": "user", "content": f"Problem {number}"}]}
        answer = requests.post(ADDRESS, json=body, headers={"Authorization": "Bearer none"}, timeout=600)
        answer.raise_for_status()
        return said(answer.json())

    def go(url: str) -> Took:
        with proxy(url, *options) as pid, ThreadPoolExecutor(problems) as pool:
            before, started = cpu_seconds_of(pid), time.perf_counter()
            list(pool.map(ask, range(problems)))
            return Took(time.perf_counter() - started, cpu_seconds_of(pid) - before)

    return go


if __name__ == "__main__":
    main(
        "optillm",
        [
            Run(BEST_OF_8, "proxy, bon", through("bon", 40, "--best-of-n", "8")),
            Run(MCTS, "proxy, mcts", through("mcts", 10, "--mcts-simulations", "32", "--mcts-depth", "1")),
        ],
    )
