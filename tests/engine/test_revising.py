"""Revisions: below a finished answer grows a new one, whose policy saw the old; also when read from the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from branchwise import ScriptedBackend, solve, solve_batch
from branchwise.orchestrator.core.expansion import Expansion
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.engine.expand import Means, expand
from tests.engine.test_policies import Speaker
from tests.laws.toy import ROOT

FINISHED = ROOT.extend((Step("first try"),), 3, StopReason.ANSWERED)


async def test_the_policy_sees_the_problem_and_the_draft_and_begins_anew() -> None:
    speaker = Speaker("better")
    means = Means(speaker, None, lambda t: None, 7)
    outcome = await expand(Expansion(0, FINISHED, count=2, to_end=True), means)
    (view,) = speaker.views
    assert (view.trajectory.steps, view.draft, view.trajectory.terminal) == ((), "first try", False)
    assert [c.trajectory.text for c in outcome.candidates] == ["better", "better"]
    assert [c.trajectory.lineage for c in outcome.candidates] == [(3, 0), (3, 1)]
    assert {c.parent_steps for c in outcome.candidates} == {0}


async def test_what_goes_on_from_a_step_has_no_draft() -> None:
    speaker = Speaker("on")
    parent = ROOT.extend((Step("so far "),), 3)
    outcome = await expand(Expansion(0, parent), Means(speaker, None, lambda t: None, 7))
    assert speaker.views[0].draft is None
    assert outcome.candidates[0].trajectory.text == "so far on"


def improving(request: Request, seed: int) -> str:
    """One more than the draft says; one at first."""
    draft = (request.prompt or "").rpartition("draft:")[2].strip()
    return f"answer: {int(draft.rpartition(':')[2]) + 1 if draft else 1}"


def growing(trajectory: Any) -> float:
    """The answer, in quarters."""
    return int(trajectory.text.rpartition(":")[2]) / 4


FLOW: dict[str, Any] = {
    "models": {"m": {"kind": "scripted", "answers": ["unused"]}},
    "nodes": {
        "search": {
            "kind": "search",
            "algorithm": {"kind": "ab_mcts", "expansions": 40, "depth": 9},
            "policy": {"kind": "refiner", "model": "m", "style": "completion", "prompt": "$problem\ndraft:$draft"},
            "reward": {"kind": "rule", "callable": "tests.engine.test_revising:growing"},
            "select": "naive",
        }
    },
}


def shown(result: Any) -> Any:
    return sorted((node, json.dumps(data, sort_keys=True)) for node, data in result.tree().nodes(data=True))


async def test_a_search_over_revisions_goes_deep_and_comes_back_from_its_record(tmp_path: Path) -> None:
    backend = ScriptedBackend(improving)
    whole = await solve("p", FLOW, seed=3, backends={"m": backend}, out=tmp_path / "a")
    assert whole.answer is not None
    deepest = max(node.count(".") for node in whole.tree().nodes)
    assert int(whole.answer) == deepest + 1 > 2  # its answer is the end of the longest chain of revisions
    silent = ScriptedBackend(improving)
    (again,) = await solve_batch(["p"], FLOW, seed=3, backends={"m": silent}, reuse=[tmp_path / "a"], replay=True)
    assert silent.calls == 0
    assert shown(again) == shown(whole)
