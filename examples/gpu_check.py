"""Is this vLLM server used to the full? Tokens a second of a beam search, and of vLLM's own benchmark beside it.

    python -m examples.gpu_check --url http://localhost:8000/v1 --model NAME [--vllm PYTHON --tokenizer FOLDER]

1. A beam over completions runs on the server; /metrics says what it generated, and what the prefix cache saved.
2. With ``--vllm``, the Python of vLLM's environment, `vllm bench serve` sends as many requests, with as many at once,
   of the same mean lengths of prompt and answer. Its prompts are random and all there from the start, so it knows
   neither prefixes nor levels.

It runs on a GPU as on the CPU: the figures are the server's, whatever it runs on.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchwise import ConfigError, solve_batch_sync
from branchwise.orchestrator.core.trajectory import Trajectory

COUNTERS = ("generation_tokens_total", "prompt_tokens_total", "prefix_cache_hits_total", "request_success_total")


@dataclass(frozen=True)
class Ran:
    """What the server did meanwhile, by its own counters."""

    seconds: float
    requests: int
    generated: int
    prompted: int
    cached: int

    @property
    def tokens_per_second(self) -> float:
        """Tokens generated a second."""
        return self.generated / self.seconds


def digits(trajectory: Trajectory) -> float:
    """A reward that costs nothing, so that the policy alone is measured."""
    return min(1.0, sum(map(str.isdigit, trajectory.text)) / 100)


def workflow(given: argparse.Namespace) -> dict[str, Any]:
    """A beam over completions that end with their lines."""
    policy = {
        "kind": "solver", "model": "policy", "style": "completion", "prompt": "$problem\n", "final": "never",
        "step_separator": "\n", "max_tokens": given.max_tokens, "max_step_tokens": given.max_tokens // 4,
    }  # fmt: skip
    served = {"kind": "vllm_server", "url": given.url, "model": given.model, "max_in_flight": given.at_once}
    beam = {"kind": "beam", "width": 4, "expansions": 4, "depth": 4}
    node = {"kind": "search", "algorithm": beam, "policy": policy, "select": "naive"}
    node["reward"] = {"kind": "rule", "callable": "examples.gpu_check:digits"}
    return {"models": {"policy": served}, "nodes": {"search": node}}


def searched(given: argparse.Namespace) -> Ran:
    """The beam, measured; SystemExit where it can't be run, or a call of it fails."""
    problems = [f"{11 + k % 80}+{k % 90 + 1}*{2 + k % 8}-{k % 60 + 3}" for k in range(given.problems)]
    before, begun = counted(given.url), time.perf_counter()
    try:
        results = solve_batch_sync(problems, workflow(given), seed=given.seed, concurrency=given.problems)
    except ConfigError as error:
        raise SystemExit(str(error)) from error
    failed = [failure.message for result in results for failure in result.failures]
    if failed:
        raise SystemExit(f"{len(failed)} calls failed, the first: {failed[0]}")
    took, after = time.perf_counter() - begun, counted(given.url)
    generated, prompted, cached, requests = (int(after[name] - before[name]) for name in COUNTERS)
    return Ran(took, requests, generated, prompted, cached)


def counted(url: str) -> dict[str, float]:
    """The server's counters; SystemExit where there is no server."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/').removesuffix('/v1')}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError as error:
        raise SystemExit(f"nothing usable answers at {url}: {error}") from error
    return {
        name: sum(map(float, re.findall(rf"^vllm:{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)))
        for name in COUNTERS
    }


def benched(given: argparse.Namespace, like: Ran) -> float:
    """Tokens a second that vLLM's own benchmark gets out of requests like these."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(given.vllm), "-m", "vllm.entrypoints.cli.main", "bench", "serve", "--backend", "openai",
            "--base-url", given.url.rstrip("/").removesuffix("/v1"), "--endpoint", "/v1/completions",
            "--model", given.model, "--tokenizer", str(given.tokenizer), "--dataset-name", "random",
            "--random-input-len", str(max(1, like.prompted // like.requests)),
            "--random-output-len", str(max(1, like.generated // like.requests)), "--ignore-eos",
            "--num-prompts", str(like.requests), "--max-concurrency", str(given.at_once),
            "--save-result", "--result-dir", folder, "--result-filename", "bench.json",
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode:
            raise SystemExit(f"vLLM's benchmark failed:\n{ran.stderr[-2000:]}")
        return float(json.loads(Path(folder, "bench.json").read_text())["output_throughput"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:8000/v1")
    parser.add_argument("--model", required=True, help="the name under which it serves")
    parser.add_argument("--vllm", type=Path, help="the Python of an environment that has vLLM, for its benchmark")
    parser.add_argument("--tokenizer", type=Path, help="the model's folder or name, for vLLM's benchmark")
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--at-once", type=int, default=64, help="requests in flight")
    parser.add_argument("--max-tokens", type=int, default=96, help="a whole answer's; a line has a quarter")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    beam = searched(given)
    print(f"beam: {beam.tokens_per_second:,.0f} tokens/s ({beam.generated:,} tokens in {beam.seconds:.1f} s, "
          f"{beam.requests:,} requests, {beam.cached / beam.prompted:.0%} of the prompts cached)")  # fmt: skip
    if given.vllm is not None:
        bare = benched(given, beam)
        print(f"vLLM's benchmark: {bare:,.0f} tokens/s; the beam has {beam.tokens_per_second / bare:.2f} of it")


if __name__ == "__main__":
    main()
