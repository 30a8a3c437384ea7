"""A workflow file from what was fitted: the workflow of the run that drew the first pass, with bins in its search."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from branchwise.orchestrator.commands.measuring import Development
from branchwise.orchestrator.commands.strategies import FirstPass
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.evaluation.allocation import Mixture
from branchwise.orchestrator.evaluation.fitting import Fitted

THOUSAND = 1000


def composed(found: Development, fitted: Fitted, first_pass: FirstPass, out: Path) -> dict[str, Any]:
    """The workflow as plain data. ConfigError where files that it names are not found from ``out``."""
    base = found.base
    plan: Any = copy.deepcopy(base.manifest.plan)
    _refuse_elsewhere(plan, Path(base.manifest.directory), out)
    plan |= {"name": out.stem, "description": f"Spends by difficulty; {_fitted_to(found)}."}
    batch: Any = base.facts.options.get("batch", 1)
    algorithm: dict[str, Any] = {"kind": "by_difficulty", "first_pass": first_pass.answers, "by": first_pass.by}
    algorithm |= {"batch": min(batch, first_pass.answers)} if batch > 1 else {}
    node = {"algorithm": algorithm | {"bins": list(_bins(found, fitted))}, "select": base.facts.select}
    plan["nodes"][base.node] |= node
    return dict(plan)


def text_of(plan: dict[str, Any], found: Development) -> str:
    """The workflow as YAML, with a comment that says where it comes from."""
    comment = f"# Written by `branchwise allocate`, {_fitted_to(found)}: evaluate it on another seed.\n"
    return comment + yaml.safe_dump(plan, sort_keys=False, allow_unicode=True, width=110)


def _fitted_to(found: Development) -> str:
    tasks, seeds = ", ".join(found.tasks), ", ".join(map(str, found.seeds))
    return f"fitted to {len(found.rows)} problems of {tasks}, seed {seeds}"


def _bins(found: Development, fitted: Fitted) -> Iterator[dict[str, Any]]:
    """One a bin; neighbours that get the same are one."""
    solving = [_solving(found, mixture) for mixture in fitted.allocation.mixtures]
    for index, solved in enumerate(solving[:-1]):
        if solved != solving[index + 1]:
            yield {"up_to": fitted.thresholds[index], **solved}
    yield solving[-1]


def _solving(found: Development, mixture: Mixture) -> dict[str, Any]:
    def algorithm(name: str) -> Any:
        return copy.deepcopy(found.strategies[name].written["algorithm"])

    solved = {"algorithm": algorithm(mixture.strategy.strategy)}
    share = math.floor(mixture.share * THOUSAND) / THOUSAND  # never more than the budget has
    if mixture.other is not None and share > 0:
        solved["mixture"] = {"share": share, "algorithm": algorithm(mixture.other.strategy)}
    return solved


def _refuse_elsewhere(plan: Any, directory: Path, out: Path) -> None:
    """Relative paths start at the workflow's directory."""
    named = [text for text in _texts(plan) if _is_file(directory, text)]
    if named and out.parent.resolve() != directory:
        raise ConfigError(
            f"--out {out}: the workflow names {', '.join(named)}, looked for beside it: write it to {directory}"
        )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _is_file(directory: Path, text: str) -> bool:
    try:
        return bool(text.strip()) and not Path(text).is_absolute() and (directory / text).is_file()
    except (OSError, ValueError):  # too long for a name, say: it is a text
        return False
