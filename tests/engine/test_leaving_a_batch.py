"""Leaving a batch in the middle: what is under way is cancelled, and nothing more is sent."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

from branchwise import ScriptedBackend, solve_batch, solve_iter
from branchwise.orchestrator.core.request import Request
from tests.engine.flows import flow, script
from tests.server import until

PROBLEMS = ["quick", "slow 1", "slow 2", "slow 3"]
BEST = {"kind": "best_of_n", "n": 2}
FOR_EVER = 3600.0


def slow(request: Request, seed: int) -> float:
    """Seconds that a draw takes: nobody lives to see the slow ones end."""
    return FOR_EVER if "slow" in (request.prompt or "") else 0.0


async def test_calls_in_flight_are_cancelled_and_no_problem_is_begun(tmp_path: Path) -> None:
    model = ScriptedBackend(script, delay=slow)
    settings: dict[str, Any] = {"out": tmp_path / "run", "concurrency": 2}
    async with asyncio.timeout(30):
        async with aclosing(solve_iter(PROBLEMS, flow(BEST), backends={"m": model}, **settings)) as results:
            assert (await anext(results)).problem_id == "problem-0"
            await until(lambda: model.in_flight == 4)
    assert (model.in_flight, model.cancelled, model.calls) == (0, 4, 6)
    again = ScriptedBackend(script)
    rest = await solve_batch(PROBLEMS, flow(BEST), backends={"m": again}, **settings)
    assert (len(rest), again.calls) == (4, 6)
