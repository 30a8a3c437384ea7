"""Refusals: what a budget that refuses is the end of. A search or a trajectory stops, and nothing failed."""

from __future__ import annotations

from branchwise.orchestrator.core.errors import BudgetRefused
from branchwise.orchestrator.core.trajectory import StopReason


def budget_stop(refused: BudgetRefused) -> StopReason:
    """The stop reason of a refusal."""
    return StopReason(f"budget_{refused.resource}")
