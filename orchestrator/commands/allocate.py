"""`branchwise allocate`: from finished runs to a workflow that spends by difficulty. Nothing is run.

1. Read what each strategy did on each problem, and how easy the problem looked after a first pass.
2. Cut the problems into bins of like difficulty, and choose each bin's strategy under one budget.
3. Write a workflow: that of the run which drew the first pass, its algorithm `by_difficulty` with these bins.

Thresholds and choices are frozen in the file. They are best on the very problems they were fitted to; what they are
worth, `branchwise evaluate` tells on another seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from branchwise.orchestrator.commands.composing import composed, text_of
from branchwise.orchestrator.commands.measuring import Development, measure
from branchwise.orchestrator.commands.strategies import FirstPass
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.evaluation.allocation import Allocation, Bin, Mixture
from branchwise.orchestrator.evaluation.allocation import allocate as allocated
from branchwise.orchestrator.evaluation.fitting import Fitted, Kept, fit, held_out, measured
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.validate import validate


def allocate(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Fit, write the workflow, and show what is expected of it."""
    out: Path = arguments.out
    if out.exists():
        raise ConfigError(f"--out {out}: this is there already")
    first_pass = FirstPass(arguments.first_pass, arguments.by)
    found = measure(arguments.directories, first_pass, arguments.like)
    fitted, kept = _fitted(found, arguments.budget, arguments.bins)
    plan = composed(found, fitted, first_pass, out)
    validate(read_workflow(plan, environment, out.parent, str(out)))
    try:
        out.write_text(text_of(plan, found), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror or error}") from error
    single = allocated([Bin(1.0, measured(found.rows, lambda attempt: attempt.alone))], arguments.budget)
    if arguments.json:
        print(json.dumps(_as_json(found, fitted, kept, single) | {"workflow": str(out)}, ensure_ascii=False))
    else:
        print("\n".join(_lines(found, fitted, kept, single)))
    for name, reason in found.left_out.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    print(f"Workflow: {out}; fitted to seed {_joined(found.seeds)}, so evaluate it on another", file=sys.stderr)
    return 0


def _fitted(found: Development, budget: float, bins: int) -> tuple[Fitted, Kept | None]:
    """What was fitted to all problems, and what such a fit keeps on problems not seen, where it can be told."""
    try:
        fitted = fit(found.rows, budget, bins)
    except ValueError as error:
        raise ConfigError(f"--budget {budget:g}: {error}") from None
    try:
        return fitted, held_out(found.rows, budget, bins)
    except ValueError:  # a half of the problems is none, or dearer than the budget
        return fitted, None


def _lines(found: Development, fitted: Fitted, kept: Kept | None, single: Allocation) -> list[str]:
    rows = [("bin", "problems", "strategy", "accuracy", "tokens")]
    for end, each, mixture in _bins(fitted):
        shown = "the rest" if end is None else f"up to {end:.4g}"
        rows.append((shown, _percent(each.share), _named(mixture), *_numbers(mixture.accuracy, mixture.cost)))
    rows.append(("all", "", "expected", *_numbers(fitted.allocation.accuracy, fitted.allocation.cost)))
    if kept is not None:
        rows.append(("", "", "chosen on one half, counted on the other", *_numbers(kept.accuracy, kept.cost)))
    best = _named(single.mixtures[0])
    rows.append(("", "", f"the same for all: {best}", *_numbers(single.accuracy, single.cost)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"{len(found.rows)} of {found.problems} problems of {_joined(found.tasks)}, seed {_joined(found.seeds)}",
        "",
        *(
            f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:{widths[2]}}  {d:>{widths[3]}}  {e:>{widths[4]}}".rstrip()
            for a, b, c, d, e in rows
        ),
    ]


def _as_json(found: Development, fitted: Fitted, kept: Kept | None, single: Allocation) -> dict[str, Any]:
    allocation = fitted.allocation
    return {
        "tasks": found.tasks,
        "seeds": found.seeds,
        "problems": found.problems,
        "fitted_to": len(found.rows),
        "left_out": found.left_out,
        "bins": [
            {
                "up_to": end,
                "share": each.share,
                **_mixture(mixture),
                "measured": {one.strategy: {"accuracy": one.accuracy, "tokens": one.cost} for one in each.measured},
            }
            for end, each, mixture in _bins(fitted)
        ],
        "expected": {"accuracy": allocation.accuracy, "tokens": allocation.cost},
        "held_out": {"accuracy": kept.accuracy, "tokens": kept.cost} if kept is not None else None,
        "same_for_all": _mixture(single.mixtures[0]),
        "accuracy_per_token": allocation.price,
    }


def _bins(fitted: Fitted) -> list[tuple[float | None, Bin, Mixture]]:
    return list(zip([*fitted.thresholds, None], fitted.bins, fitted.allocation.mixtures, strict=True))


def _mixture(mixture: Mixture) -> dict[str, Any]:
    return {
        "strategy": mixture.strategy.strategy,
        "other": mixture.other.strategy if mixture.other is not None else None,
        "other_share": mixture.share,
        "accuracy": mixture.accuracy,
        "tokens": mixture.cost,
    }


def _named(mixture: Mixture) -> str:
    other = f", {_percent(mixture.share)} {mixture.other.strategy}" if mixture.other is not None else ""
    return mixture.strategy.strategy + other


def _numbers(accuracy: float, tokens: float) -> tuple[str, str]:
    return _percent(accuracy), f"{tokens:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _joined(values: list[Any]) -> str:
    return ", ".join(map(str, values))
