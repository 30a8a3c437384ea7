"""Trained reward models and rewards around others steer whole searches: the rarer answer wins where the reward says
so, and a replay finds every number on record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from branchwise import ScriptedBackend, problem, solve_batch
from branchwise.orchestrator.core.request import Request, TokenLogprob

PROBLEMS = [problem(f"Which is it, number {k}?", f"p{k}") for k in range(4)]
ALGORITHMS: dict[str, dict[str, Any]] = {
    "best_of_n": {"kind": "best_of_n", "n": 8},
    "beam": {"kind": "beam", "width": 2, "expansions": 6, "depth": 2},
    "mcts": {"kind": "mcts", "iterations": 8, "children": 8, "depth": 2},
}
OUTCOME: dict[str, Any] = {"kind": "outcome_model", "model": "judge"}
CHANCE = {**OUTCOME, "activation": "sigmoid"}
PROCESS = {"kind": "process_model", "model": "judge", "step_tag": "#", "reducer": "min"}
IMPLICIT = {"kind": "implicit_prm", "model": "trained", "reference": "base", "coefficient": 0.05, "reducer": "sum"}
REWARDS: dict[str, dict[str, Any]] = {
    "outcome_model": OUTCOME,
    "reranker": {**OUTCOME, "ask": "score"},
    "process_model": PROCESS,
    "hierarchical": {**PROCESS, "granularity": "hierarchical", "style": "completion"},
    "implicit_prm": {**IMPLICIT, "style": "completion"},
    "ensemble": {"kind": "ensemble", "rewards": [CHANCE, PROCESS], "combine": "mean_minus_spread"},
    "normalised": {"kind": "ensemble", "rewards": [OUTCOME, PROCESS], "references": [[-3.0, 3.0], [0.2, 0.8]]},
    "transformed": {"kind": "transformed", "reward": OUTCOME, "transform": "preference", "references": [0.0]},
    "gated": {"kind": "gated", "reward": OUTCOME},
    "calibrated": {
        "kind": "calibrated",
        "reward": CHANCE,
        "calibration": {"curve": {"method": "platt", "slope": 0.5, "intercept": 0.0}},
    },
    "voted": {"kind": "voted", "reward": {"kind": "flipped", "share": 0.05, "reward": CHANCE}, "votes": 9},
    "nested": {"kind": "gated", "reward": {"kind": "ensemble", "rewards": [CHANCE, PROCESS]}},
}


def policy() -> ScriptedBackend:
    """Most answers are 1."""
    return ScriptedBackend(lambda request, seed: f"answer: {7 if seed % 4 == 1 else 1}")


def shown(request: Request) -> str:
    return request.document or request.prompt or request.messages[-1].text


def judge() -> ScriptedBackend:
    """Likes the answer 7: one row a step tag, or one for the whole."""

    def values(request: Request) -> tuple[tuple[float, ...], ...]:
        likes = 3.0 if "answer: 7" in shown(request) else -3.0
        if request.pooling == "token_classify":
            return ((-likes, likes),) * shown(request).count("#")
        return ((likes,),)

    return ScriptedBackend(lambda request, seed: "", name="judge", values=values)


def speaking(name: str, liked: float) -> ScriptedBackend:
    """Says how likely each word of what it is shown is: 7 by ``liked`` nats more."""

    def told(request: Request) -> tuple[TokenLogprob, ...]:
        text = shown(request)
        pieces = [piece for word in text.split(" ") for piece in (" ", word)][1:]
        return tuple(TokenLogprob(piece, -1.0 + liked * (piece == "7")) for piece in pieces[1:])

    return ScriptedBackend(lambda request, seed: "", name=name, prompt_logprobs=told)


def models() -> dict[str, ScriptedBackend]:
    return {"m": policy(), "judge": judge(), "trained": speaking("trained", 0.5), "base": speaking("base", 0.0)}


def plan(algorithm: dict[str, Any], reward: dict[str, Any] | None) -> dict[str, Any]:
    node = {"kind": "search", "algorithm": algorithm, "policy": {"kind": "solver", "model": "m"}}
    node |= {"reward": reward, "select": "naive"} if reward is not None else {}
    scripted = {"kind": "scripted", "answers": ["unused"]}  # what each can do; the backends are given
    telling = {**scripted, "prompt_logprob": -1.0}
    known = {"m": scripted, "judge": {**scripted, "values": [[[0.0]]]}, "trained": telling, "base": telling}
    return {"models": known, "nodes": {"search": node}}


async def test_without_a_reward_the_frequent_answer_wins() -> None:
    results = await solve_batch(PROBLEMS, plan(ALGORITHMS["best_of_n"], None), seed=1, backends=models())
    assert {result.answer for result in results} == {"1"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("reward", REWARDS)
async def test_the_reward_changes_the_winner_and_is_replayed(reward: str, algorithm: str, tmp_path: Path) -> None:
    workflow, run = plan(ALGORITHMS[algorithm], REWARDS[reward]), tmp_path / "run"
    results = await solve_batch(PROBLEMS, workflow, seed=1, backends=models(), out=run)
    assert [result.answer for result in results] == ["7"] * len(PROBLEMS)
    assert not any(result.failures for result in results)
    silent = models()
    again = await solve_batch(PROBLEMS, workflow, seed=1, backends=silent, reuse=[run], replay=True)
    assert [(each.answer, each.value) for each in again] == [(each.answer, each.value) for each in results]
    assert sum(model.calls for model in silent.values()) == 0
