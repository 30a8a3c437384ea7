"""Branchwise: test-time search for language models.

The public names. They are imported when first used, so ``import branchwise`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from branchwise.orchestrator.api import (
        as_node,
        load_task,
        solve,
        solve_batch,
        solve_batch_sync,
        solve_iter,
        solve_sync,
    )
    from branchwise.orchestrator.backends.scripted import ScriptedBackend
    from branchwise.orchestrator.core.budget import Budget
    from branchwise.orchestrator.core.errors import (
        AgentFormatError,
        BackendError,
        BoundaryError,
        BranchwiseError,
        BudgetRefused,
        ConfigError,
        ContextOverflow,
        EnvironmentFailure,
        JournalError,
        RewardFailure,
        SandboxError,
        Suspended,
    )
    from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
    from branchwise.orchestrator.core.inspection import NodeStatistics
    from branchwise.orchestrator.core.judgement import Judgement
    from branchwise.orchestrator.core.problem import Problem, problem
    from branchwise.orchestrator.core.request import Draw, Request
    from branchwise.orchestrator.core.result import Result
    from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
    from branchwise.orchestrator.core.usage import Usage
    from branchwise.orchestrator.watching import solve_events
    from branchwise.orchestrator.workflow.load import load_workflow
    from branchwise.orchestrator.workflow.spec import Workflow
    from branchwise.orchestrator.workflow.tree import read_tree

    __version__: str

__all__ = [
    "AgentFormatError",
    "Answer",
    "BackendError",
    "BoundaryError",
    "BranchwiseError",
    "Budget",
    "BudgetRefused",
    "Candidate",
    "ConfigError",
    "ContextOverflow",
    "Draw",
    "EnvironmentFailure",
    "Expansion",
    "JournalError",
    "Judgement",
    "NodeStatistics",
    "Outcome",
    "Problem",
    "Request",
    "Result",
    "RewardFailure",
    "SandboxError",
    "ScriptedBackend",
    "Step",
    "StopReason",
    "Suspended",
    "Trajectory",
    "Usage",
    "Workflow",
    "__version__",
    "as_node",
    "load_task",
    "load_workflow",
    "problem",
    "read_tree",
    "solve",
    "solve_batch",
    "solve_batch_sync",
    "solve_events",
    "solve_iter",
    "solve_sync",
]

_HOMES = {
    "api": ("as_node", "load_task", "solve", "solve_batch", "solve_batch_sync", "solve_iter", "solve_sync"),
    "backends.scripted": ("ScriptedBackend",),
    "core.budget": ("Budget",),
    "core.errors": (
        "AgentFormatError",
        "BackendError",
        "BoundaryError",
        "BranchwiseError",
        "BudgetRefused",
        "ConfigError",
        "ContextOverflow",
        "EnvironmentFailure",
        "JournalError",
        "RewardFailure",
        "SandboxError",
        "Suspended",
    ),
    "core.expansion": ("Answer", "Candidate", "Expansion", "Outcome"),
    "core.inspection": ("NodeStatistics",),
    "core.judgement": ("Judgement",),
    "core.problem": ("Problem", "problem"),
    "core.request": ("Draw", "Request"),
    "core.result": ("Result",),
    "core.trajectory": ("Step", "StopReason", "Trajectory"),
    "core.usage": ("Usage",),
    "watching": ("solve_events",),
    "workflow.load": ("load_workflow",),
    "workflow.spec": ("Workflow",),
    "workflow.tree": ("read_tree",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("branchwise")
    elif name in _HOME_OF:
        value = getattr(import_module(f"branchwise.orchestrator.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'branchwise' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
