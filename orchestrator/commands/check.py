"""`branchwise check`: is the workflow right, and what is the most that it can use? Nothing is run or loaded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

from branchwise.orchestrator.commands.preparing import predicted, task_of, workflow_of
from branchwise.orchestrator.core.budget import RoleLimits
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.predict import Prediction, refusal
from branchwise.orchestrator.workflow.spec import Workflow

RESOURCES = ("calls", "prompt_tokens", "completion_tokens", "tokens", "money")
EXPLAINED = (
    "At most: every draw as long as it may be, every text a token a byte; real use is far less. A hard budget "
    "books a call at this bound before it is sent."
)


def check(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Check and predict; ConfigError where something is wrong."""
    loaded = workflow_of(arguments, environment)
    workflow = loaded.workflow
    task = task_of(arguments.tasks, arguments.limit, arguments.seed) if arguments.tasks else None
    problems = list(islice(task.problems(), arguments.limit)) if task else []
    prediction = predicted(loaded, task, problems)
    warnings = list(_warnings(workflow, prediction, counted=bool(problems)))
    if arguments.json:
        print(json.dumps(_as_json(workflow, prediction, len(problems) or None, warnings), ensure_ascii=False))
        return 0
    print(f"{arguments.workflow}: correct")
    print(f"nodes: {', '.join(workflow.nodes)}; models: {', '.join(workflow.models)}\n")
    print("\n".join(_table(workflow, prediction, len(problems))))
    for name, count in prediction.comparisons.items():
        print(f"\nnodes.{name}.tournament: at most {count} comparisons a problem")
    print(f"\n{EXPLAINED}")
    for warning in warnings:
        print(f"Note: {warning}", file=sys.stderr)
    return 0


def _warnings(workflow: Workflow, prediction: Prediction, counted: bool) -> list[str]:
    notes = [f"nodes.{name}: the algorithm declares no most_draws; it is left out" for name in prediction.unbounded]
    if not counted:
        notes.append("prompts are counted without a problem; give --tasks to count them in, and for the total")
    refused = refusal(workflow, prediction)
    if refused is not None:
        notes.append(
            f"a hard budget books what a draw may use at most, and has no room for the dearest one: {refused}; "
            "it may end a search early: raise it, or use budget.mode=soft"
        )
    return notes


def _table(workflow: Workflow, prediction: Prediction, count: int) -> list[str]:
    columns = ["", "calls", "prompt", "completion", "tokens", "cost"]
    rows = [[f"{role}, a problem", *_cells(usage)] for role, usage in prediction.per_problem.items() if usage.calls]
    whole = _sum(prediction)
    rows.append(["a problem", *_cells(whole)])
    rows.append(["  its budget", *_limits(workflow.budget.problem)])
    if count:
        rows.append([f"{count} problems", *_cells(_times(whole, count))])
    rows.append(["  the run's budget", *_limits(workflow.budget.run)])
    widths = [max(len(row[index]) for row in [columns, *rows]) for index in range(len(columns))]
    return [
        (
            row[0].ljust(widths[0])
            + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        )
        for row in [columns, *rows]
    ]


def _cells(usage: Usage) -> list[str]:
    counts = (usage.calls, usage.prompt_tokens, usage.completion_tokens, usage.tokens)
    return [*(f"{count:,}" for count in counts), f"{usage.money:.4f}" if usage.money else "-"]


def _limits(limits: RoleLimits) -> list[str]:
    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:,}"

    return [shown(limits.calls), "-", "-", shown(limits.tokens), shown(limits.money)]


def _as_json(workflow: Workflow, prediction: Prediction, count: int | None, warnings: list[str]) -> dict[str, Any]:
    whole = _sum(prediction)
    return {
        "workflow": workflow.name,
        "problems": count,
        "at_most_per_problem": {
            **_values(whole),
            "roles": {r: _values(u) for r, u in prediction.per_problem.items()},
        },
        "at_most_compared": prediction.comparisons,
        "at_most_in_total": _values(_times(whole, count)) if count else None,
        "budget": workflow.budget.model_dump(mode="json", exclude_none=True),
        "notes": warnings,
    }


def _values(usage: Usage) -> dict[str, float]:
    return {resource: getattr(usage, resource) for resource in RESOURCES}


def _sum(prediction: Prediction) -> Usage:
    return sum(prediction.per_problem.values(), NOTHING)


def _times(usage: Usage, count: int) -> Usage:
    return Usage(
        usage.prompt_tokens * count,
        usage.completion_tokens * count,
        calls=usage.calls * count,
        money=usage.money * count,
    )
