"""Generative rewards steer every search that a reward can steer: the answer that the judge likes wins, be it rare or
frequent, and a replay finds every word on record. The judge is scripted: prompts, parsers and the engine are tried.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from branchwise import ScriptedBackend, problem, solve_batch
from branchwise.orchestrator.core.request import Request, TokenLogprob
from branchwise.orchestrator.plugins import find
from tests.laws.toy import SMALL
from tests.speaking import asked

PROBLEMS = [problem(f"Which is it, number {k}?", f"p{k}") for k in range(3)]
JUDGE = {"kind": "judge", "model": "judge"}
PAIR = {"kind": "pair_judge", "model": "judge"}
REWARDS: dict[str, dict[str, Any]] = {
    "judge": JUDGE,
    "json": {**JUDGE, "form": "json"},
    "think_prm": {"kind": "think_prm", "model": "judge"},
    "grm": {"kind": "grm", "model": "judge", "votes": 2},
    "grm_meta": {"kind": "grm", "model": "judge", "votes": 2, "meta": JUDGE},
    "listwise": {"kind": "listwise", "model": "judge"},
    "against_reference": {"kind": "against_reference", "model": "m", "judge": PAIR},
    "gated_grm": {"kind": "gated", "reward": {"kind": "grm", "model": "judge", "votes": 2}},
    "voted_judge": {"kind": "voted", "votes": 2, "reward": {**JUDGE, "temperature": 1.0}},
}
ALGORITHMS = {
    kind: {"kind": kind, **SMALL[kind][0]}
    for kind in SMALL
    if getattr(find("search", kind).module.Options, "wants_reward", False) is True or kind == "best_of_n"
}


def policy() -> ScriptedBackend:
    """Most answers are 1, the greedy one is."""
    return ScriptedBackend(lambda r, seed: f"answer: {7 if seed % 3 == 1 and r.temperature else 1}")


def said(request: Request, liked: str) -> str:
    """What a judge who likes one of the answers says, to each kind of question."""
    text, good = asked(request), f"answer: {liked}"
    first, _, second = text.partition("Answer B:")
    named = dict(re.findall(r"^(model-\d+):\nanswer: (\d)", text, re.MULTILINE))
    boxed = re.findall(r"^Response \d+:\nanswer: (\d)", text, re.MULTILINE)
    if named:
        return json.dumps({"scores": {name: 5 if answer == liked else 2 for name, answer in named.items()}})
    if second:
        return f"<answer>[[{'B' if good in second and good not in first else 'A'}]]</answer>"
    if boxed and "Mark it by this rubric" not in text:
        return f"\\boxed{{{', '.join('9' if answer == liked else '2' for answer in boxed)}}}"
    mark = 9 if good in text else 2
    return json.dumps({"critique": "", "score": mark}) if request.json_schema else f"Score: {mark}"


def decided(request: Request, liked: str) -> tuple[TokenLogprob, ...]:
    if not request.logprobs:
        return ()
    yes = 0.9 if f"answer: {liked}" in asked(request) else 0.2
    top = ((" Yes", math.log(yes)), (" No", math.log(1 - yes)))
    return (TokenLogprob(*top[0], top=top),)


def models(liked: str) -> dict[str, ScriptedBackend]:
    judge = ScriptedBackend(lambda r, _: said(r, liked), name="judge", logprob=lambda r, _: decided(r, liked))
    return {"m": policy(), "judge": judge}


def plan(algorithm: dict[str, Any], reward: dict[str, Any], together: bool) -> dict[str, Any]:
    own = getattr(find("search", algorithm["kind"]).module.Options, "own_select", None)
    policy = {"kind": "solver", "model": "m"}
    node = {"kind": "search", "algorithm": algorithm, "policy": policy, "reward": reward, "together": together}
    node |= {} if own else {"select": "naive"}
    scripted = {"kind": "scripted", "answers": ["unused"]}
    return {"models": {"m": scripted, "judge": scripted}, "nodes": {"search": node}}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("liked", ["7", "1"])
async def test_the_judge_decides_and_is_replayed(liked: str, reward: str, algorithm: str, tmp_path: Path) -> None:
    workflow, run = plan(ALGORITHMS[algorithm], REWARDS[reward], together="grm" in reward), tmp_path / "run"
    results = await solve_batch(PROBLEMS, workflow, seed=1, backends=models(liked), out=run)
    assert [result.answer for result in results] == [liked] * len(PROBLEMS)
    assert not any(result.failures for result in results)
    silent = models(liked)
    again = await solve_batch(PROBLEMS, workflow, seed=1, backends=silent, reuse=[run], replay=True)
    assert [(each.answer, each.value) for each in again] == [(each.answer, each.value) for each in results]
    assert sum(model.calls for model in silent.values()) == 0
