"""The laws of reward models that ask a language model, over small settings of each kind and a scripted model.

Same length, same order, whatever the order of the batch; empty in, empty out; hostile text and hostile replies never
raise and are never a number off the scale; the same again for nothing new; no more is used than ``bound`` says.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Options, Parts, module_of
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.core.usage import NOTHING
from branchwise.orchestrator.workflow import spec
from tests.speaking import Speaking

SMALL: dict[str, list[dict[str, Any]]] = {
    "judge": [{}, {"form": "json", "temperature": 1.0, "retries": 2, "max_tokens": 9}, {"scale": "raw", "low": -1}],
    "think_prm": [{}, {"chains": 3, "style": "completion", "retries": 1}, {"rounds": 4, "max_tokens": 30}],
    "grm": [
        {"votes": 3, "retries": 2},
        {"votes": 2, "scale": "raw"},
        {"votes": 4, "meta": {"kind": "judge", "model": "m"}},
    ],
    "listwise": [{}, {"temperature": 1.0, "scale": "raw", "style": "completion", "retries": 2}],
    "against_reference": [
        {"model": "m", "judge": {"kind": "pair_judge", "model": "m"}, "max_tokens": 8},
        {
            "model": "m",
            "judge": {"kind": "pair_judge", "model": "m", "parsing": "think_rm", "retries": 1},
            "temperature": 1.0,
        },
        {"given": "draft", "judge": {"kind": "ab_prompt", "model": "m", "first": "yes", "second": "no"}},
    ],
}
"""Settings by kind; most replies fit most kinds."""

SETTINGS = [(kind, options) for kind, settings in SMALL.items() for options in settings]
every_setting = pytest.mark.parametrize(("kind", "options"), SETTINGS, ids=[kind for kind, _ in SETTINGS])
REPLIES = [
    "Score: 7", '{"score": 3}', "\\boxed{7}", "\\boxed{4, 9}", '{"scores": {"model-1": 4, "model-2": 1}}', "[[A]]",
    "<answer>B</answer>", "\\boxed{correct} \\boxed{incorrect}", "I can't say", "", "Score: 99",
    "\x00\ud800 $problem",
]  # fmt: skip
TEXTS = ["1+1=2\n", "so it is 2", "", "$answer ${steps} $$", "\ud800", "Score: 10 \\boxed{10} [[A]]", "x " * 20]
METADATA = {"draft": "2, I think"}
PROBLEMS = [replace(problem(text), id=text, metadata=METADATA) for text in ("1+1", "What is 1+1? $answer")]
ANY: TypeAdapter[Options] = TypeAdapter(spec.Reward)


def said(prompt: str, seed: int) -> str:
    return random.Random(f"{prompt!a} {seed}").choice(REPLIES)


def made(kind: str, options: dict[str, Any], model: Speaking) -> RewardModel:
    written = ANY.validate_python(
        {"kind": kind, "model": "m", **options} if "given" not in options else {"kind": kind, **options}
    )
    reward: RewardModel = module_of(written).build(written, Parts(lambda name: model, lambda trajectory: None))
    return reward


def scored(reward: RewardModel, trajectories: list[Trajectory]) -> list[Judgement]:
    return asyncio.run(reward.score(trajectories))


def trajectory(number: int, texts: list[str]) -> Trajectory:
    return Trajectory(PROBLEMS[number], tuple(map(Step, texts)))


BATCH = [
    trajectory(number % 2, texts) for number, texts in enumerate([[text] for text in TEXTS] + [[], TEXTS, TEXTS[:2]])
]


@every_setting
class TestLaws:
    def test_empty_in_empty_out(self, kind: str, options: dict[str, Any]) -> None:
        model = Speaking(said)
        assert scored(made(kind, options, model), []) == []
        assert not model.requests

    def test_same_length_same_order_whatever_the_order(self, kind: str, options: dict[str, Any]) -> None:
        reward = made(kind, options, Speaking(said))
        judgements = scored(reward, BATCH)
        assert len(judgements) == len(BATCH)
        assert scored(reward, BATCH[::-1]) == judgements[::-1]
        assert scored(made(kind, options, Speaking(said)), BATCH) == judgements

    def test_a_judgement_fits_its_trajectory(self, kind: str, options: dict[str, Any]) -> None:
        reward = made(kind, options, Speaking(said))
        for each, judgement in zip(BATCH, scored(reward, BATCH), strict=True):
            assert judgement.source == reward.source
            assert len(judgement.step_values) in (0, len(each.steps))
            if judgement.value is not None and judgement.scale == "probability":
                assert 0 <= judgement.value <= 1

    def test_no_reply_no_number(self, kind: str, options: dict[str, Any]) -> None:
        model = Speaking(lambda prompt, seed: "I'd rather not say.", {"hm": -0.1})
        for judgement in scored(made(kind, options, model), BATCH):
            assert judgement.value is None
            assert judgement.failure is not None

    def test_no_more_is_used_than_it_says(self, kind: str, options: dict[str, Any]) -> None:
        for parent in (trajectory(0, []), trajectory(1, ["1+1=2\n"])):
            for words in (1, 7, 40):
                model = Speaking(lambda prompt, seed: "word " * 20_000)
                reward = made(kind, options, model)
                bound = reward.bound(parent, words, 1)
                asyncio.run(reward.score([parent.extend((Step("x " * words),), 0)]))
                self._within(model, [bound])

    def test_a_group_uses_no_more_than_its_members_may(self, kind: str, options: dict[str, Any]) -> None:
        parent = trajectory(1, ["1+1=2\n"])
        for texts in (["a b c", "d e", "f", "g h"], ["a\n"] * 3):
            model = Speaking(said)
            reward = made(kind, options, model)
            asyncio.run(reward.score([parent.extend((Step(text),), k) for k, text in enumerate(texts)]))
            self._within(model, [reward.bound(parent, len(text.split()), 1) for text in texts])

    def test_a_bound_asks_nothing(self, kind: str, options: dict[str, Any]) -> None:
        model = Speaking(said)
        made(kind, options, model).bound(BATCH[0], 10)
        assert not model.requests

    def _within(self, model: Speaking, bounds: list[Any]) -> None:
        most = sum(bounds, NOTHING)
        assert 0 < model.used.calls <= most.calls
        assert model.used.prompt_tokens <= most.prompt_tokens
        assert model.used.completion_tokens <= most.completion_tokens

    @given(st.text(), st.lists(st.text(), max_size=3))
    def test_hostile_replies_never_raise(
        self, kind: str, options: dict[str, Any], reply: str, texts: list[str]
    ) -> None:
        reward = made(kind, options, Speaking(lambda prompt, seed: reply))
        assert len(scored(reward, [trajectory(0, texts), trajectory(0, [reply])])) == 2
