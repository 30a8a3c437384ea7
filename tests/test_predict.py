"""What `check` predicts: an upper bound that real runs stay below, close where the algorithm is plain."""

from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError, ScriptedBackend, problem, solve_batch
from branchwise.orchestrator.predict import predict, refusal, visits
from branchwise.orchestrator.session import Plain
from branchwise.orchestrator.workflow.load import Loaded, read_workflow
from branchwise.sandboxes.calculator import evaluate

MODEL = {"kind": "scripted", "answers": ["unused"], "price": {"prompt": 1, "completion": 10}}
POLICY = {"kind": "solver", "model": "m", "style": "completion", "prompt": "$problem\n", "step_separator": "\n"}
LIMITS = {"max_tokens": 20, "max_step_tokens": 5}
CALCULATOR = {"kind": "calculator"}
QUESTION = problem("1+1")


def loaded(algorithm: dict[str, Any], **more: Any) -> Loaded:
    node = {"kind": "search", "algorithm": algorithm, "policy": {**POLICY, **LIMITS}, **more.pop("node", {})}
    return read_workflow({"models": {"m": MODEL}, "nodes": {"search": node}, **more}, {}, Path())


def predicted(plan: Loaded) -> Any:
    return predict(plan, QUESTION, Plain(()).answer, evaluate)


def test_best_of_n_is_n_whole_answers() -> None:
    bound = predicted(loaded({"kind": "best_of_n", "n": 8})).per_problem["policy"]
    assert (bound.calls, bound.completion_tokens) == (8, 8 * 20)
    assert bound.prompt_tokens >= 8 * len("1+1\n")
    assert bound.money == pytest.approx((bound.prompt_tokens + 10 * bound.completion_tokens) / 1e6)


def test_beam_draws_steps_and_ends_with_whole_answers() -> None:
    beam = {"kind": "beam", "width": 2, "expansions": 3, "depth": 3}
    bound = predicted(loaded(beam, node={"reward": CALCULATOR})).per_problem["policy"]
    assert bound.calls == 3 + 6 + 6
    assert bound.completion_tokens == (3 + 6) * 5 + 6 * 20


@pytest.mark.parametrize(
    "algorithm", [{"kind": "best_of_n", "n": 5}, {"kind": "beam", "depth": 4}, {"kind": "greedy"}]
)
async def test_a_run_stays_below(algorithm: dict[str, Any]) -> None:
    plan = loaded(algorithm, node={"reward": CALCULATOR})
    backend = ScriptedBackend(lambda request, seed: "1+1=2\n" * (seed % 3 + 1) + "x y z " * 9)
    (result,) = await solve_batch([QUESTION], plan, backends={"m": backend})
    bound = sum(predicted(plan).per_problem.values(), start=type(result.usage)())
    assert 0 < result.usage.calls <= bound.calls
    assert result.usage.prompt_tokens <= bound.prompt_tokens
    assert result.usage.completion_tokens <= bound.completion_tokens


def test_a_node_in_a_loop_counts_as_often_as_it_can_be_entered() -> None:
    nodes = {
        "draft": {"kind": "agent", "agent": {"kind": "solver", "model": "m"}, "next": "review"},
        "review": {
            "kind": "agent",
            "agent": {"kind": "reviewer", "model": "m"},
            "next": {"accept": "end", "revise": "refine"},
        },
        "refine": {"kind": "agent", "agent": {"kind": "refiner", "model": "m"}, "max_visits": 2, "next": "review"},
    }
    plan = read_workflow({"models": {"m": MODEL}, "nodes": nodes}, {}, Path())
    assert [visits(plan.workflow, name) for name in nodes] == [1, 3, 2]
    assert {role: usage.calls for role, usage in predicted(plan).per_problem.items()} == {
        "policy": 1,
        "reviewer": 3,
        "refiner": 2,
    }


def test_a_hard_budget_below_the_first_draw_is_told() -> None:
    small = loaded({"kind": "greedy"}, budget={"problem": {"tokens": 20}})
    assert "problem budget" in str(refusal(small.workflow, predicted(small)))
    enough = loaded({"kind": "greedy"}, budget={"problem": {"tokens": 200}})
    assert refusal(enough.workflow, predicted(enough)) is None
    soft = loaded({"kind": "greedy"}, budget={"mode": "soft", "problem": {"tokens": 20}})
    assert refusal(soft.workflow, predicted(soft)) is None


def test_parts_that_cannot_be_built_are_found() -> None:
    rule = {"kind": "rule", "callable": "nowhere.at_all:f"}
    with pytest.raises(ConfigError, match="nowhere"):
        predicted(loaded({"kind": "best_of_n"}, node={"reward": rule}))


def test_of_several_policies_every_draw_may_be_the_dearest() -> None:
    dear = {**MODEL, "price": {"prompt": 2, "completion": 50}}
    policies = {"policies": {"big": {**POLICY, "model": "dear", "max_tokens": 30}}, "reward": CALCULATOR}
    algorithm = {"kind": "ab_mcts", "expansions": 6, "policies": ["policy", "big"]}
    node = {"kind": "search", "algorithm": algorithm, "policy": {**POLICY, **LIMITS}, **policies}
    plan = read_workflow({"models": {"m": MODEL, "dear": dear}, "nodes": {"search": node}}, {}, Path())
    bound = predicted(plan).per_problem["policy"]
    assert (bound.calls, bound.completion_tokens) == (6, 6 * 30)
    assert bound.money == pytest.approx((2 * bound.prompt_tokens + 50 * bound.completion_tokens) / 1e6)


def test_where_rewards_decide_how_deep_it_goes_every_draw_is_as_deep_as_may_be() -> None:
    algorithm = {"kind": "ab_mcts", "expansions": 6, "over": "steps", "depth": 4}
    bound = predicted(loaded(algorithm, node={"reward": CALCULATOR})).per_problem["policy"]
    assert bound.prompt_tokens >= 6 * (len("1+1\n") + 3 * 5)  # the prompt and three steps of five tokens
    assert bound.completion_tokens == 6 * 20
    refiner = {
        "policy": {**POLICY, "kind": "refiner", "prompt": "$problem $draft", "max_tokens": 20},
        "reward": CALCULATOR,
    }
    del refiner["policy"]["step_separator"]
    revised = predicted(loaded({"kind": "ab_mcts", "expansions": 6}, node=refiner)).per_problem["policy"]
    assert revised.prompt_tokens >= 6 * (len("1+1 ") + 20)


@pytest.mark.parametrize(("rule", "count"), [("knockout", 5), ("nash", 15)])
async def test_a_tournament_costs_its_comparisons_of_the_longest_answers(rule: str, count: int) -> None:
    judge = {"kind": "ab_prompt", "model": "m", "prompt": "$problem $first $second", "alternatives": 2}
    plan = loaded({"kind": "best_of_n", "n": 6}, node={"tournament": {"rule": rule, "judge": judge}})
    prediction = predicted(plan)
    bound = prediction.per_problem["judge"]
    assert prediction.comparisons == {"search": count}
    assert (bound.calls, bound.completion_tokens) == (2 * count, 2 * count)
    assert bound.prompt_tokens >= 2 * count * (len("1+1") + 2 * 20)
    backend = ScriptedBackend(lambda request, seed: f"answer {seed} is {seed}")
    (result,) = await solve_batch([QUESTION], plan, backends={"m": backend})
    assert 0 < result.usage_of("judge").calls <= bound.calls
    assert result.usage_of("judge").prompt_tokens <= bound.prompt_tokens
