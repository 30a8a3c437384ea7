"""The strategies of finished runs, and which of them can be bins of one workflow. Read from journals alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.journal.manifest import PLAN_FILE, Manifest, NodeFacts
from branchwise.orchestrator.journal.reader import Recorded
from branchwise.orchestrator.search.difficulty import By

BEST_OF_N = "best_of_n"
COMPOSED = ("by_difficulty", "mixture")
"""Searches that no bin can hold."""
FREE = {"algorithm", "select", "together", "window", "commit", "kind"}
"""Keys of a search node in which the bins of one workflow may differ, or that are compared as they are understood."""


@dataclass(frozen=True, slots=True)
class FirstPass:
    """How many answers it has, and what of them tells the difficulty."""

    answers: int
    by: By


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a run did: its manifest, and the one search node that it has, as written and as understood."""

    name: str
    manifest: Manifest
    node: str
    written: Mapping[str, Any]
    facts: NodeFacts

    @property
    def answers(self) -> int:
        """Whole answers that it draws of a problem at most and that a first pass can take over."""
        count = self.facts.options.get("n") if self.facts.algorithm == BEST_OF_N else 0
        return count if isinstance(count, int) else 0

    @property
    def plan(self) -> Mapping[str, Any]:
        """The workflow as it was written."""
        plan: Any = self.manifest.plan
        return dict(plan)

    def differs(self, other: Strategy) -> list[str]:
        """In what the two can't be bins of one workflow."""
        keys = sorted((self.written.keys() | other.written.keys()) - FREE)
        found = [key for key in keys if _same(self.written.get(key)) != _same(other.written.get(key))]
        found += ["select"] if self.facts.select != other.facts.select else []
        found += ["models"] if self.manifest.models != other.manifest.models else []
        return found + (["budget"] if _same(self.plan.get("budget")) != _same(other.plan.get("budget")) else [])

    def can_begin(self, first_pass: FirstPass) -> bool:
        """True where its first answers are what a first pass draws."""
        judged = first_pass.by == "agreement" or bool(self.facts.reward)
        return judged and self.answers >= first_pass.answers and self.facts.options.get("stop") == "none"


def runs_in(directory: Path) -> list[Path]:
    """The run directories of a part. ConfigError where there are none, or those of several parts."""
    if runs := _runs(directory):
        return runs
    parts = [path for path in sorted(directory.glob("*/")) if _runs(path)]
    if not parts:
        raise ConfigError(f"{directory}: no runs of `branchwise evaluate` are here")
    if len(parts) > 1:
        raise ConfigError(f"{directory} has several parts, name one of them: {', '.join(map(str, parts))}")
    return _runs(parts[0])


def strategies_of(parts: Sequence[Mapping[str, Recorded]]) -> tuple[dict[str, Strategy], dict[str, str]]:
    """Strategies that all parts have and that may be bins, and the others with what keeps them from it."""
    strategies, left_out = dict[str, Strategy](), dict[str, str]()
    for name in dict.fromkeys(name for part in parts for name in part):
        manifests = [part[name].manifest for part in parts if name in part]
        nodes = list(manifests[0].nodes.values())
        if len(manifests) < len(parts):
            left_out[name] = "not in every directory"
        elif len({manifest.plan_hash for manifest in manifests}) > 1:
            left_out[name] = "not the same workflow in every directory"
        elif [node.kind for node in nodes] != ["search"]:
            left_out[name] = "not a single search"
        elif nodes[0].algorithm in COMPOSED:
            left_out[name] = "itself composed of others"
        else:
            strategies[name] = _strategy(name, manifests[0])
    return strategies, left_out


def beginner(strategies: Mapping[str, Strategy], first_pass: FirstPass, like: str | None) -> Strategy:
    """The run that draws the first pass: the one named, else the only kind there is. ConfigError for none."""
    able = {name: one for name, one in strategies.items() if one.can_begin(first_pass)}
    wanted = f"a best_of_n of at least {first_pass.answers} answers, without stop"
    wanted += " and with a reward" if first_pass.by == "value" else ""
    if like is not None and like not in able:
        raise ConfigError(f"--like {like}: it draws no first pass, {wanted}{suggestion(like, list(able))}")
    if not able:
        raise ConfigError(f"no run draws the first pass, {wanted}: there are {', '.join(strategies) or 'none'}")
    first = able[like] if like is not None else next(iter(able.values()))
    if like is None and any(one.differs(first) for one in able.values()):
        raise ConfigError(f"the runs differ in more than the algorithm; choose one by --like: {', '.join(able)}")
    return first


def _runs(directory: Path) -> list[Path]:
    return sorted(path.parent for path in directory.glob(f"*/{PLAN_FILE}"))


def _strategy(name: str, manifest: Manifest) -> Strategy:
    plan: Any = manifest.plan
    ((node, facts),) = manifest.nodes.items()
    return Strategy(name, manifest, node, plan["nodes"][node], facts)


def _same(written: object) -> str:
    return json.dumps(written, sort_keys=True)
