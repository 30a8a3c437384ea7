"""Suites: which runs a part has, what each is compared with, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.evaluation.suite import Pair, Part, Trial, pairs_of, trials_of

HERE = Path("suites")
REWARDS = {"learned": {"nodes.a.reward": "model"}, "exact": {"nodes.a.reward": "tool"}}
MAJORITY = {"name": "majority", "workflow": "m.yaml", "baseline": True}
BEST_OF_N = {"name": "best-of-N", "baseline": True, "variants": REWARDS}
BEAM = {"name": "beam", "variants": REWARDS, "set": {"nodes.a.reward": "none", "nodes.a.width": 4}}


def part(*strategies: dict[str, Any], **keys: Any) -> Part:
    return Part.model_validate({"title": "T", "task": "t", "limit": 1, "strategies": strategies, **keys})


def trials(*strategies: dict[str, Any]) -> list[Trial]:
    return trials_of(part(*strategies, workflow="w.yaml"), HERE)


def test_a_strategy_runs_once_a_variant() -> None:
    found = trials(MAJORITY, BEAM)
    assert [each.name for each in found] == ["majority", "beam, learned", "beam, exact"]
    assert [each.family for each in found] == ["majority", "beam, learned", "beam, exact"]
    assert [each.variant for each in found] == ["", "learned", "exact"]


def test_a_variant_and_a_size_go_before_what_is_set_for_all() -> None:
    sizes = {8: {"nodes.a.width": 8}, 2: {"nodes.a.width": 2}}
    found = {
        each.name: dict(one.split("=", 1) for one in each.settings) for each in trials({**BEAM, "samples": sizes})
    }
    assert list(found) == ["beam, learned N=8", "beam, learned N=2", "beam, exact N=8", "beam, exact N=2"]
    last = {key: json.loads(value) for key, value in found["beam, exact N=2"].items()}
    assert last == {"nodes.a.reward": "tool", "nodes.a.width": 2}


def test_a_strategy_has_its_own_workflow_or_the_part_s() -> None:
    assert [each.workflow for each in trials(MAJORITY, BEAM)] == [HERE / "m.yaml", HERE / "w.yaml", HERE / "w.yaml"]
    with pytest.raises(ConfigError, match="'beam' has no workflow"):
        trials_of(part(MAJORITY, BEAM), HERE)


def test_each_is_compared_with_the_baselines_of_its_variant() -> None:
    assert pairs_of(trials(BEAM, MAJORITY, BEST_OF_N)) == [
        Pair("beam, learned", ("majority",)),
        Pair("beam, learned", ("best-of-N, learned",)),
        Pair("beam, exact", ("majority",)),
        Pair("beam, exact", ("best-of-N, exact",)),
        Pair("best-of-N, learned", ("majority",)),
        Pair("best-of-N, exact", ("majority",)),
    ]


SIZES: dict[str, Any] = {"samples": {8: {}, 2: {}}}


def test_each_is_compared_with_the_baseline_of_its_size() -> None:
    found = pairs_of(trials({"name": "greedy"}, {**MAJORITY, **SIZES}, {"name": "tree", **SIZES}))
    assert found == [Pair("tree N=8", ("majority N=8",)), Pair("tree N=2", ("majority N=2",))]


def test_at_equal_tokens_each_is_compared_with_all_sizes_of_a_baseline() -> None:
    found = pairs_of(trials({**MAJORITY, **SIZES}, {**BEST_OF_N, **SIZES}, BEAM), equal_tokens=True)
    votes, exact = ("majority N=8", "majority N=2"), ("best-of-N, exact N=8", "best-of-N, exact N=2")
    assert found[:1] == [Pair("best-of-N, learned N=8", votes)]
    assert found[-2:] == [Pair("beam, exact", votes), Pair("beam, exact", exact)]
    assert len(found) == 4 + 4


def test_two_runs_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="the same name"):
        trials(BEAM, {"name": "beam, learned"})
