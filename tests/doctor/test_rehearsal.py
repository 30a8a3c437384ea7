"""The rehearsal of rewards and judges of pairs: what it asks, what it leaves out, and that it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from branchwise import ScriptedBackend
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.doctor import rehearsal
from branchwise.orchestrator.doctor.rehearsal import Rehearsed, rehearsed
from branchwise.orchestrator.workflow.load import Loaded, read_workflow
from tests.speaking import Speaking

JUDGE = {"kind": "judge", "model": "m"}
PAIRS = {"kind": "ab_prompt", "model": "m"}


def loaded(reward: dict[str, Any] | None, **more: Any) -> Loaded:
    node = {"kind": "search", "algorithm": {"kind": "best_of_n"}, "policy": {"kind": "solver", "model": "m"}}
    node |= {"reward": reward, **more}
    model = {"kind": "scripted", "answers": ["unused"]}
    return read_workflow({"models": {"m": model}, "nodes": {"search": node}}, {}, Path())


async def one(reward: dict[str, Any] | None, model: ScriptedBackend, **more: Any) -> Rehearsed:
    (found,) = await rehearsed(loaded(reward, **more), {"m": model})
    return found


async def test_a_reward_is_asked_once_about_two_steps() -> None:
    model = Speaking(lambda prompt, seed: "Score: 10")
    found = await one(JUDGE, model)
    assert (found.place, found.kind, found.wrong) == ("nodes.search.reward", "judge", "")
    assert found.judgement is not None
    assert (found.judgement.value, len(model.prompts)) == (1.0, 1)
    assert "1+1=2\n\n2+1=3" in model.prompts[0]


async def test_what_was_said_instead_of_a_judgement_is_shown() -> None:
    found = await one(JUDGE, Speaking(lambda prompt, seed: "I  can't\nsay. " * 99))
    assert found.wrong.startswith("no mark from 1 to 10 can be read; what was said instead: \"I can't say. I can't")
    assert len(found.wrong) < 160


async def test_judges_of_pairs_too() -> None:
    model = Speaking(lambda prompt, seed: "A")
    found = await one(None, model, tournament={"judge": PAIRS})
    assert (found.place, "neither" in found.wrong) == ("nodes.search.tournament.judge", True)


async def test_a_reference_is_there_where_one_is_looked_for() -> None:
    against = {"kind": "against_reference", "judge": {"kind": "pair_judge", "model": "m"}, "given": "reference"}
    model = Speaking(lambda prompt, seed: "")
    found = await one({"kind": "gated", "reward": against}, model)
    assert found.wrong == "no preference can be read"
    assert "1+1=22+1=3" in model.prompts[0]


async def test_it_is_about_a_problem_that_has_references(tmp_path: Path) -> None:
    file = tmp_path / "references.jsonl"
    file.write_text('{"problem": "7", "rewards": [0.5, 0.6]}\n')
    model = Speaking(lambda prompt, seed: "Score: 10")
    found = await one(
        {"kind": "transformed", "transform": "preference", "references": str(file), "reward": JUDGE}, model
    )
    assert (found.wrong, found.judgement is not None) == ("", True)


class Hanging(ScriptedBackend):
    """A model that never answers."""

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        await asyncio.Event().wait()
        raise AssertionError


async def test_it_is_limited_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "TRY_SECONDS", 0.01)
    found = await one(JUDGE, Hanging(["unused"]))
    assert (found.wrong, found.unseen) == ("", "nodes.search.reward: one judgement takes longer than 0.01 s")


async def test_what_asks_no_model_or_one_that_is_not_well_is_left_out() -> None:
    model = Speaking(lambda prompt, seed: "Score: 10")
    assert await rehearsed(loaded({"kind": "calculator"}), {"m": model}) == []
    assert await rehearsed(loaded(JUDGE), {}) == []
    assert model.prompts == []
