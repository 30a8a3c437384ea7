"""The reward heads on real servers: raw numbers equal transformers' logits, and one score a step."""

from __future__ import annotations

import json
import random
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.core.errors import ContextOverflow
from branchwise.orchestrator.core.request import Request
from branchwise.tasks.arithmetic.generator import evaluation_chains
from tests.vllm.server import Server, post

TOLERANCE = 1e-3
CHAINS = evaluation_chains(random.Random(3), 12, 3)
SOLUTIONS = [(chain.text, chain.steps if k % 2 else (*chain.steps[:2], chain.steps[2] + "7"))
             for k, chain in enumerate(CHAINS)]  # fmt: skip
WHOLE = ["".join(f"{line}\n" for line in (problem, *steps)) for problem, steps in SOLUTIONS]
TAGGED = [f"{problem}\n" + "".join(f"{step}#" for step in steps) for problem, steps in SOLUTIONS]


def reference(server: Server, texts: list[str]) -> list[Any]:
    """The logits that transformers computes from the same folder."""
    return _computed(server.python, server.folder, tuple(texts))


@cache
def _computed(python: Path, folder: Path, texts: tuple[str, ...]) -> list[Any]:
    command = [str(python), str(Path(__file__).with_name("reference.py")), str(folder)]
    ran = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    found: list[Any] = json.loads(ran.stdout)
    return found


def test_raw_outcome_scores_are_transformers_logits(outcome: Server, note: list[str]) -> None:
    expected = [row[0] for row in reference(outcome, WHOLE)]
    raw = {"model": outcome.name, "input": WHOLE, "use_activation": False}
    classified = [row["probs"][0] for row in post(outcome, "/classify", raw)["data"]]
    pooled = [row["data"][0] for row in post(outcome, "/pooling", raw | {"task": "classify"})["data"]]
    worst = max(abs(got - want) for got, want in zip(classified, expected, strict=True))
    note.append(f"outcome scores against transformers: at most {worst:.1e} apart over {len(expected)} texts")
    assert classified == pytest.approx(expected, abs=TOLERANCE)
    assert pooled == pytest.approx(expected, abs=TOLERANCE)
    assert min(classified[1::2]) > max(classified[::2])  # every second one is right


async def test_a_reranker_gives_transformers_logits_and_cuts_nothing_off(outcome: Server, note: list[str]) -> None:
    backend = build(Options(url=outcome.url, model=outcome.name, runner="pooling"))
    asked = [Request(prompt=query, document="\n".join(steps), pooling="score", max_tokens=0)
             for query, steps in SOLUTIONS]  # fmt: skip
    found = [(await backend.generate(request))[0].values for request in asked]
    expected = [row[0] for row in reference(outcome, WHOLE)]
    worst = max(abs(got - want) for ((got,),), want in zip(found, expected, strict=True))
    note.append(f"reranker's scores against transformers: at most {worst:.1e} apart over {len(expected)} pairs")
    assert [rows[0][0] for rows in found] == pytest.approx(expected, abs=TOLERANCE)
    with pytest.raises(ContextOverflow, match="maximum context length is 256"):
        await backend.generate(replace(asked[0], document="1+1=2\n" * 50))
    await backend.aclose()


def test_a_chat_is_scored_as_the_plain_text(outcome: Server) -> None:
    problem, steps = SOLUTIONS[1]
    said = [{"role": "user", "content": problem}, {"role": "assistant", "content": "\n".join(steps)}]
    chat = {"model": outcome.name, "messages": said, "add_generation_prompt": False, "use_activation": False}
    plain = {"model": outcome.name, "input": WHOLE[1], "use_activation": False}
    scores = [post(outcome, "/classify", asked)["data"][0]["probs"][0] for asked in (chat, plain)]
    assert scores[0] == pytest.approx(scores[1], abs=TOLERANCE)


def test_raw_process_scores_are_one_a_step_and_transformers_logits(process: Server, note: list[str]) -> None:
    expected = reference(process, TAGGED)
    raw = {"model": process.name, "input": TAGGED, "task": "token_classify", "use_activation": False}
    scored = [row["data"] for row in post(process, "/pooling", raw)["data"]]
    assert [len(rows) for rows in scored] == [len(steps) for _, steps in SOLUTIONS]
    flat = [value for rows in scored for row in rows for value in row]
    wanted = [value for rows in expected for row in rows for value in row]
    worst = max(abs(got - want) for got, want in zip(flat, wanted, strict=True))
    note.append(f"process scores against transformers: at most {worst:.1e} apart over {len(flat) // 2} steps")
    assert flat == pytest.approx(wanted, abs=TOLERANCE)
    last = [rows[-1][1] - rows[-1][0] for rows in scored]
    assert min(last[1::2]) > max(last[::2])  # every second solution is right to its end
