"""The JSON object of a run: what `run`, `resume` and `report` print with --json."""

from __future__ import annotations

from typing import Any

from branchwise.orchestrator.core.tracing import trace_id
from branchwise.orchestrator.report.data import Report, Strategy
from branchwise.orchestrator.report.shown import TokenCount


def summary_of(report: Report, one: Strategy) -> dict[str, Any]:
    """A strategy's numbers. ``accuracy`` is right of graded, null where nothing was graded; ``calls`` are paid."""
    return {
        "workflow": one.workflow,
        "task": one.facts.get("task") or report.task,
        "seed": one.seed,
        "n": one.attempted,
        "graded": one.graded,
        "correct": one.correct,
        "failed": dict(one.failed),
        "candidates_lost": dict(one.candidates_lost),
        "judgements": one.judgements,
        "accuracy": one.accuracy,
        "interval": [one.interval.low, one.interval.high] if one.interval else None,
        "tokens": {each.role: {"drawn": _tokens(each.drawn), "paid": _tokens(each.paid)} for each in one.tokens},
        "calls": sum(each.paid.calls for each in one.tokens),
        "money": sum(each.paid.money for each in one.tokens),
        "seconds": one.seconds,
        "stop_reasons": dict(one.stops),
        "reward_kind": one.reward_kind,
        "notes": list(one.notes),
        "run_directory": one.run_directory,
    }


def problems_of(report: Report, name: str) -> list[dict[str, Any]]:
    """A run's problems with answer, verdict, stop reason, trace id, drawn tokens by role and failures."""
    known = {problem.id: problem for problem in report.problems}
    run = next(str(one.facts.get("run") or "") for one in report.strategies if one.name == name)
    return [
        {
            "problem": row.problem,
            "question": known[row.problem].question,
            "expected": known[row.problem].expected,
            "answer": row.answer,
            "correct": row.correct,
            "stop": row.stop,
            "trace": trace_id(run, row.problem),
            "tokens": dict(row.tokens),
            "failures": [failure.model_dump(exclude_none=True) for failure in row.failures],
        }
        for row in report.rows
        if row.strategy == name
    ]


def _tokens(count: TokenCount) -> dict[str, int | bool]:
    return {"prompt": count.prompt, "completion": count.completion, "calls": count.calls, "exact": count.exact}
