"""Which agents may be the policy of a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.spec import SearchNode
from branchwise.orchestrator.workflow.validate import validate


def searching(algorithm: dict[str, Any]) -> dict[str, Any]:
    policy = {"kind": "refiner", "model": "m"}
    search = {"kind": "search", "algorithm": algorithm, "policy": policy, "reward": {"kind": "calculator"}}
    return {"models": {"m": {"kind": "scripted", "answers": ["4"]}}, "nodes": {"answer": search}}


def test_any_agent_may_propose_whole_answers() -> None:
    validate(read_workflow(searching({"kind": "best_of_n"}), {}, Path()))


def test_an_agent_without_steps_is_refused_where_steps_are_wanted() -> None:
    with pytest.raises(ConfigError, match=r"^workflow: nodes\.answer\.policy: .*'refiner' writes whole answers only"):
        validate(read_workflow(searching({"kind": "beam"}), {}, Path()))


def test_only_a_search_that_recommends_an_answer_can_be_asked_for_one() -> None:
    def checked(kind: str) -> None:
        workflow = searching({"kind": kind})
        solver = {"kind": "solver", "model": "m"}
        workflow["nodes"]["answer"] |= {"select": "recommended", "reward": {"kind": "calculator"}, "policy": solver}
        validate(read_workflow(workflow, {}, Path()))

    checked("mcts")
    with pytest.raises(ConfigError, match=r"nodes\.answer\.select: beam recommends no answer itself"):
        checked("beam")


def test_an_algorithm_may_have_a_selection_rule_of_its_own() -> None:
    def rule(kind: str, **more: Any) -> str:
        workflow = searching({"kind": kind})
        workflow["nodes"]["answer"] |= more
        node = read_workflow(workflow, {}, Path()).workflow.nodes["answer"]
        assert isinstance(node, SearchNode)
        return node.rule

    assert [rule(kind) for kind in ("best_of_n", "particle_filter", "ab_mcts")] == ["weighted", "naive", "naive"]
    assert rule("particle_filter", select="majority") == "majority"
