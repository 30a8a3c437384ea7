"""A node's further policies: who proposes, from which seed, at what price; and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from branchwise import ConfigError, ScriptedBackend, solve
from branchwise.orchestrator.core.expansion import Expansion
from branchwise.orchestrator.core.judgement import Judgement, judged
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.roles import Reply, View
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.engine.expand import Means, bound_of, expand, view_of
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.validate import validate
from tests.laws.toy import ROOT

POLICY = {"kind": "solver", "model": "m"}


@dataclass
class Speaker:
    """A policy that says its own name; ``views`` are those that it was shown."""

    name: str
    tokens: int = 10
    views: list[View] = field(default_factory=list)

    async def reply(self, view: View) -> list[Reply]:
        self.views.append(view)
        return [Reply((Step(self.name),), StopReason.ANSWERED) for _ in range(view.count)]

    def bound(self, view: View) -> Usage:
        return Usage(completion_tokens=self.tokens, calls=1)


class Judge:
    source = "rule"

    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]:
        return [judged(1.0, scale="probability", source="rule") for _ in trajectories]

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        return Usage(prompt_tokens=max_new_tokens, calls=1)


def means(**more: Any) -> Means:
    return Means(Speaker("own"), None, lambda t: None, 7, policies={"big": Speaker("big", 30)}, **more)


async def test_the_named_policy_proposes_and_without_a_name_the_nodes_own() -> None:
    said = [await expand(Expansion(0, ROOT, policy=name), means()) for name in (None, "big")]
    assert [outcome.candidates[0].trajectory.text for outcome in said] == ["own", "big"]


def test_policies_have_seeds_of_their_own() -> None:
    own, big = (view_of(Expansion(0, ROOT, policy=name), means()).seed for name in (None, "big"))
    assert own != big
    alone = Means(Speaker("own"), None, lambda t: None, 7)
    assert own == view_of(Expansion(0, ROOT), alone).seed  # draws of before there was a second policy stay valid


def test_a_policy_is_bounded_at_its_own_length_and_price_under_one_role() -> None:
    prices = {"policy": Price(completion=1e6), "policy:big": Price(completion=2e6)}
    own, big = (bound_of(Expansion(0, ROOT, policy=name), means(prices=prices)) for name in (None, "big"))
    assert own == [("policy", Usage(completion_tokens=10, calls=1, money=10.0))]
    assert big == [("policy", Usage(completion_tokens=30, calls=1, money=60.0))]


async def test_what_needs_no_judgement_is_not_judged_and_not_booked() -> None:
    judging = Means(Speaker("own"), Judge(), lambda t: None, 7)  # type: ignore[arg-type]
    judged_, spared = [await expand(Expansion(0, ROOT, judge=judge), judging) for judge in (True, False)]
    assert [outcome.candidates[0].value for outcome in (judged_, spared)] == [1.0, None]
    assert dict(bound_of(Expansion(0, ROOT, judge=False), judging)).get("verifier", NOTHING) == NOTHING


@pytest.mark.parametrize(
    ("policies", "place", "message"),
    [
        ({"policy": POLICY}, "policies.policy", "the node's own policy"),
        ({"big": POLICY}, "policies.big", "does not draw from this policy"),
        ({"big": {**POLICY, "model": "n"}}, "policies.big.model", "no model 'n'"),
    ],
)
def test_policies_that_do_not_fit_are_refused(policies: dict[str, Any], place: str, message: str) -> None:
    search = {"kind": "search", "algorithm": {"kind": "best_of_n"}, "policy": POLICY, "policies": policies}
    workflow = {"models": {"m": {"kind": "scripted", "answers": ["4"]}}, "nodes": {"answer": search}}
    with pytest.raises(ConfigError, match=f"nodes.answer.{place}: .*{message}"):
        validate(read_workflow(workflow, {}, Path()))


def test_an_algorithm_cannot_draw_from_a_policy_that_the_node_lacks() -> None:
    algorithm = {"kind": "ab_mcts", "policies": ["policy", "bag"]}
    search = {"kind": "search", "algorithm": algorithm, "policy": POLICY, "policies": {"big": POLICY}}
    reward = {"kind": "calculator"}
    workflow = {
        "models": {"m": {"kind": "scripted", "answers": ["4"]}},
        "nodes": {"answer": search | {"reward": reward}},
    }
    with pytest.raises(
        ConfigError, match=r"algorithm\.policies: the node has no policy 'bag'; did you mean 'big'"
    ) as told:
        validate(read_workflow(workflow, {}, Path()))
    assert "policies.big: the algorithm does not draw from this policy" in str(told.value)


def worth(trajectory: Trajectory) -> float:
    """Good is better than bad."""
    return 0.9 if "good" in trajectory.text else 0.1


async def test_of_two_models_the_better_one_is_drawn_from_more_and_both_are_paid_for() -> None:
    policy = {"kind": "solver", "style": "completion", "prompt": "$problem $draft"}
    models = {name: {"kind": "scripted", "answers": ["unused"], "price": {"completion": 1e6}} for name in ("s", "b")}
    search = {
        "kind": "search",
        "algorithm": {"kind": "ab_mcts", "expansions": 40, "policies": ["policy", "big"]},
        "policy": {**policy, "model": "s"},
        "policies": {"big": {**policy, "model": "b"}},
        "reward": {"kind": "rule", "callable": "tests.engine.test_policies:worth"},
        "select": "naive",
    }
    backends = {name: ScriptedBackend(lambda request, seed, said=said: f"answer: {said}") for name, said in SAID}
    result = await solve("p", {"models": models, "nodes": {"answer": search}}, backends=backends)
    assert result.answer == "good"
    assert backends["s"].calls + backends["b"].calls == result.usage_of("policy").calls == 40
    assert backends["b"].calls > 25 > backends["s"].calls > 0
    assert result.usage_of("policy").money == result.usage_of("policy").completion_tokens


SAID = [("s", "bad"), ("b", "good")]
