"""Lanes: formulas that take long wait for each other, and not the others for them.

Two worker processes are a multilevel feedback queue of two levels (Corbató et al. 1962, "An experimental time-sharing
system"): every formula gets a short slice of processor time in the first lane, and what is not done then, its whole
limit in the second one. So a formula that would hang costs those behind it a slice, whatever its limit.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from branchwise.orchestrator.core.errors import SandboxError
from branchwise.tasks.math.latex import Formula
from branchwise.tasks.math.process import Known, Limits, Worker

SLICE_SECONDS: Final = 0.5


class Lanes:
    """Forms of formulas; a thread of each lane's own waits for its worker, so that waiting takes no shared ones."""

    def __init__(self, limits: Limits) -> None:
        slices = [limits]
        if limits.seconds > SLICE_SECONDS:
            slices.insert(0, replace(limits, seconds=SLICE_SECONDS))
        self._lanes = [(Worker(each), ThreadPoolExecutor(1, "mathematics")) for each in slices]

    async def form(self, formula: Formula) -> str | None:
        """The form of a formula, None where it can't be parsed; SandboxError where the worker was lost over it."""
        if formula.misread:
            return None
        loop = asyncio.get_running_loop()
        found = Known(None)
        for worker, thread in self._lanes:
            known = worker.known(formula)
            found = known if known is not None else await loop.run_in_executor(thread, worker.form, formula)
            if not found.too_slow:
                break
        if found.lost:
            raise SandboxError(found.lost)
        return found.form
