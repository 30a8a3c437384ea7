"""Contests: a judge of pairs chooses among what a search found; its failures, budgets, ends and resumes."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError, ScriptedBackend, solve, solve_batch
from branchwise.orchestrator.core.errors import BackendError, Suspended
from branchwise.orchestrator.core.request import Request, TokenLogprob
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.validate import validate

PROBLEMS = [f"problem {number}" for number in range(4)]
ANSWERS = 5


def policy() -> ScriptedBackend:
    return ScriptedBackend(lambda request, seed: f"answer: {seed % ANSWERS}")


def labels(chance: float) -> tuple[TokenLogprob, ...]:
    top = tuple((label, math.log(p)) for label, p in (("A", chance), ("B", 1 - chance)))
    return (TokenLogprob(*top[0], top=top),)


def judge(prefers: Any, **more: Any) -> ScriptedBackend:
    """A model that thinks A the better one with the probability prefers(A's answer, B's answer)."""

    def logprob(request: Request, seed: int) -> tuple[TokenLogprob, ...]:
        one, other = map(int, re.findall(r"answer: (\d)", request.messages[0].text))
        return labels(prefers(one, other))

    return ScriptedBackend(lambda request, seed: "A", logprob=logprob, name="judge", **more)


def smaller(one: int, other: int) -> float:
    return 0.9 if one < other else 0.1


def cycle(one: int, other: int) -> float:
    """0 beats 1 beats 2 beats 0, and each of them beats 3 and 4."""
    if one > 2 or other > 2:
        return smaller(one, other)
    return 0.9 if (other - one) % 3 == 1 else 0.1


def liking(trajectory: Trajectory) -> float:
    return int(trajectory.text[-1]) / 10


def flow(rule: str, budget: Any = None, n: int = 12, reward: bool = False, **tournament: Any) -> dict[str, Any]:
    search: dict[str, Any] = {
        "kind": "search",
        "algorithm": {"kind": "best_of_n", "n": n},
        "policy": {"kind": "solver", "model": "m", "max_tokens": 8},
        "tournament": {"rule": rule, "judge": {"kind": "ab_prompt", "model": "j"}} | tournament,
    }
    if reward:
        search["reward"] = {"kind": "rule", "callable": "tests.engine.test_contests:liking"}
    models = {name: {"kind": "scripted", "answers": ["unused"]} for name in ("m", "j")}
    return {"models": models, "nodes": {"search": search}, "budget": budget or {}}


RULES = {"knockout": 4, "copeland": 10, "borda": 10, "nash": 10, "bootstrap": 10, "bradley_terry": 10}
"""Comparisons of five answers, with as many rounds."""


@pytest.mark.parametrize("rule", RULES)
async def test_the_judges_favourite_is_the_answer_by_every_rule(rule: str) -> None:
    jury = judge(smaller)
    results = await solve_batch(PROBLEMS, flow(rule, rounds=5), backends={"m": policy(), "j": jury})
    for result in results:
        found = sorted(int(answer) for answer, _ in result.votes)
        assert result.answer == str(found[0])
        assert result.votes[0][0] == result.answer
        assert result.stop is StopReason.ANSWERED
    whole = [result for result in results if len(result.votes) == ANSWERS]
    assert whole, "no problem had all five answers: another seed is wanted"
    for result in whole:
        assert result.usage_of("judge").calls == 2 * RULES[rule]  # both orders
    assert jury.calls == sum(result.usage_of("judge").calls for result in results)


async def test_a_cycle_is_shared_by_nash() -> None:
    results = await solve_batch(PROBLEMS, flow("nash"), backends={"m": policy(), "j": judge(cycle)})
    (votes, *_) = (dict(result.votes) for result in results if len(result.votes) == ANSWERS)
    assert [votes[name] for name in "01234"] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0, 0])


async def test_every_candidate_takes_part_if_equal_answers_are_to() -> None:
    jury = judge(lambda one, other: 0.5 if one == other else smaller(one, other))
    result = await solve("p", flow("knockout", distinct=False, pool=8), backends={"m": policy(), "j": jury})
    assert result.usage_of("judge").calls == 2 * 7 > jury.calls  # the same two texts are asked about once
    assert result.answer == min(answer for answer, _ in result.votes)


async def test_the_pool_takes_those_of_the_greatest_value_and_by_value_no_model_is_asked() -> None:
    by_value = flow("copeland", reward=True, judge={"kind": "by_value"}, pool=3)
    results = await solve_batch(PROBLEMS, by_value, backends={"m": policy(), "j": judge(smaller)})
    assert all(result.answer == "4" and len(result.votes) == 3 for result in results)
    assert all(result.usage_of("judge").calls == 0 for result in results)


async def test_a_judge_that_fails_costs_its_comparisons_only() -> None:
    def fails(request: Request, seed: int) -> BackendError | None:
        return BackendError("gone") if "answer: 0" in request.messages[0].text else None

    results = await solve_batch(
        PROBLEMS, flow("copeland"), backends={"m": policy(), "j": judge(smaller, fails=fails)}
    )
    for result in results:
        votes = dict(result.votes)
        assert result.stop is StopReason.ANSWERED
        if "0" in votes:
            assert votes["0"] == 0.5  # of everybody
            assert [failure.message for failure in result.failures] == ["gone"] * (len(votes) - 1)
            assert result.answer == min(set(votes) - {"0"})


async def test_if_nothing_can_be_compared_the_first_of_the_seeding_is_the_answer() -> None:
    mute = ScriptedBackend(lambda request, seed: "A")  # no log-probabilities
    result = await solve("p", flow("nash", reward=True), backends={"m": policy(), "j": mute})
    assert result.answer == max(answer for answer, _ in result.votes)
    assert len(result.failures) == math.comb(len(result.votes), 2)
    assert result.judgements == 12 + len(result.failures)  # the reward's, and the comparisons


async def test_a_problems_budget_for_judging_has_room_for_all_comparisons_or_for_none() -> None:
    def limited(calls: int) -> Any:
        return flow("copeland", {"problem": {"roles": {"judge": {"calls": calls}}}}, reward=True)

    jury = judge(smaller)
    short = await solve("p", limited(5), backends={"m": policy(), "j": jury})
    assert (jury.calls, short.stop) == (0, StopReason.BUDGET_CALLS)
    assert short.answer == max(answer for answer, _ in short.votes)
    enough = await solve("p", limited(20), backends={"m": policy(), "j": jury})
    assert (enough.stop, enough.answer) == (StopReason.ANSWERED, min(answer for answer, _ in enough.votes))


async def test_a_runs_budget_cuts_a_contest_short() -> None:
    jury = judge(smaller)
    result = await solve("p", flow("copeland", {"run": {"calls": 12 + 6}}), backends={"m": policy(), "j": jury})
    assert (result.stop, jury.calls) == (StopReason.BUDGET_CALLS, 6)
    assert result.answer is not None


async def test_when_time_is_up_the_answer_is_that_of_the_comparisons_made() -> None:
    jury = judge(smaller, delay=lambda request, seed: 60.0)
    budget = {"problem": {"seconds": 0.3}}
    result = await asyncio.wait_for(solve("p", flow("nash", budget), backends={"m": policy(), "j": jury}), 10)
    assert result.stop is StopReason.BUDGET_SECONDS
    assert result.answer is not None
    assert jury.in_flight == 0


async def test_the_record_pays_for_it_when_it_is_run_again(tmp_path: Path) -> None:
    jury = judge(smaller)
    first = await solve_batch(PROBLEMS, flow("nash"), backends={"m": policy(), "j": jury}, out=tmp_path / "a")
    silent = judge(smaller)
    settings: dict[str, Any] = {"reuse": [tmp_path / "a"], "replay": True, "backends": {"m": policy(), "j": silent}}
    again = await solve_batch(PROBLEMS, flow("nash"), **settings)
    assert silent.calls == 0
    assert [(r.answer, r.votes, r.drawn) for r in again] == [(r.answer, r.votes, r.drawn) for r in first]


@pytest.mark.parametrize("rule", ["knockout", "copeland"])
async def test_suspended_among_its_matches_it_is_taken_up_again_and_nothing_is_paid_twice(
    rule: str, tmp_path: Path
) -> None:
    whole = judge(smaller)
    expected = await solve_batch(PROBLEMS, flow(rule), backends={"m": policy(), "j": whole})
    running: list[Any] = []

    def delay(request: Request, seed: int) -> float:
        if first.calls == 12:
            running[0].suspend()
        return 0.002 * first.calls

    first = judge(smaller, delay=delay)
    settings = Settings(concurrency=4, out=tmp_path, backends={"m": policy(), "j": first})
    with pytest.raises(Suspended):
        async with open_session(read_workflow(flow(rule), {}, Path()), as_task(PROBLEMS), settings) as session:
            running.append(session.run)
            async for _ in session.results():
                pass
    assert first.cancelled == 0
    second = judge(smaller)
    results = await solve_batch(PROBLEMS, flow(rule), out=tmp_path, backends={"m": policy(), "j": second})
    assert 0 < first.calls < whole.calls
    assert first.calls + second.calls == whole.calls
    assert [(r.answer, r.votes) for r in results] == [(r.answer, r.votes) for r in expected]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"select": "majority"}, "select: the tournament chooses"),
        ({"tournament": {"judge": {"kind": "by_value"}}}, "tournament.judge: by_value compares by a reward"),
        ({"tournament": {"judge": {"kind": "ab_prompt", "model": "k"}}}, "tournament.judge.model: no model 'k'"),
    ],
)
def test_a_tournament_that_does_not_fit_is_refused(change: dict[str, Any], place: str) -> None:
    workflow = flow("nash")
    workflow["nodes"]["search"] |= change
    with pytest.raises(ConfigError, match=f"nodes.search.{place}"):
        validate(read_workflow(workflow, {}, Path()))
