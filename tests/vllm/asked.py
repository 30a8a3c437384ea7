"""Questions that vLLM answers alike behind a server and within a process. Run as a program, by the Python that has
vLLM, it asks the latter: ``python -m tests.vllm.asked MODEL_FOLDER ANSWERS.json``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from branchwise.orchestrator.backends import vllm_engine
from branchwise.orchestrator.core.errors import ContextOverflow
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Backend

PROMPT = "47+38*3-95\n"
QUESTIONS = {
    "a step": Request(prompt=PROMPT, max_tokens=64, temperature=0.0, stop=("\n",), keep_stop=True, logprobs=2),
    "from ids": Request(token_ids=(8, 11, 14, 7, 12, 16, 7, 15, 13, 9, 3), max_tokens=64, temperature=0.0),
    "four draws": Request(prompt=PROMPT, max_tokens=64, temperature=1.0, n=4, seed=5),
    "the prompt's own": Request(prompt=f"{PROMPT}47+38=85\n", max_tokens=0, prompt_logprobs=True),
    "one of two": Request(prompt=PROMPT, max_tokens=8, temperature=0.0, choices=("17+2", "86")),
    "a form": Request(prompt=PROMPT, max_tokens=16, temperature=1.0, seed=1, regex="[0-9]{3}\\+1"),
}
ENGINE = {"dtype": "float32", "enforce_eager": True, "block_size": 32}


async def answers(backend: Backend) -> dict[str, Any]:
    """What the backend says to each question, as JSON would have it."""
    return {name: [_told(draw) for draw in await backend.generate(asked)] for name, asked in QUESTIONS.items()}


def _told(draw: Any) -> dict[str, Any]:
    numbers = [token.logprob for token in (*draw.logprobs, *draw.prompt_logprobs)]
    said = {"text": draw.text, "finish": draw.finish, "stop": draw.stop_string, "ids": list(draw.token_ids)}
    return said | {"logprobs": numbers, "written": draw.usage.completion_tokens}


async def main(model: str, path: Path) -> None:
    """Ask an engine within this process; also for too much, and for what is then cancelled."""
    backend = vllm_engine.build(vllm_engine.Options(model=model, engine=ENGINE))
    begun = time.monotonic()
    told = {"answers": await answers(backend), "seconds": time.monotonic() - begun}
    try:
        await backend.generate(Request(prompt="4" * 400, max_tokens=8))
    except ContextOverflow as error:
        told["overflow"] = str(error)
    endless = asyncio.create_task(backend.generate(Request(prompt=PROMPT, max_tokens=200, n=8, temperature=2.0)))
    await asyncio.sleep(0.02)
    told["cancelled"] = endless.cancel()
    await asyncio.wait([endless])
    told["after that"] = (await backend.generate(QUESTIONS["a step"]))[0].text
    await backend.aclose()
    path.write_text(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
