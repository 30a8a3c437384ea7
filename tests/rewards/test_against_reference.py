"""A judge of pairs as a reward: references given and written, and what is refused before anything is spent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from branchwise.orchestrator.core.errors import BackendError, ConfigError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Options, needs_of_part
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards import against_reference
from branchwise.orchestrator.workflow import spec
from branchwise.orchestrator.workflow.load import read_workflow
from tests.speaking import Speaking, parts

JUDGE = {"kind": "pair_judge", "model": "judge"}
GIVEN = replace(problem("which?"), metadata={"draft": "fair"})


def options_of(**options: Any) -> against_reference.Options[Any]:
    adapter: TypeAdapter[Options] = TypeAdapter(spec.Reward)
    found = adapter.validate_python({"kind": "against_reference", "judge": JUDGE, **options})
    assert isinstance(found, against_reference.Options)
    return found


def preferring(prompt: str, seed: int) -> str:
    """The better of good, fair and bad, whichever place it has."""
    first = prompt.partition("Answer A:\n")[2].split()[0]
    second = prompt.partition("Answer B:\n")[2].split()[0]
    ranks = ["good", "fair", "bad"]
    return f"<answer>[[{'A' if ranks.index(first) < ranks.index(second) else 'B'}]]</answer>"


async def judged(text: str, of: Problem = GIVEN, writer: Speaking | None = None, **options: Any) -> Judgement:
    named = {"judge": Speaking(preferring), "writer": writer or Speaking(lambda prompt, seed: "fair")}
    reward = against_reference.build(options_of(**options), parts(**named))
    (judgement,) = await reward.score([Trajectory(of, (Step(text),))])
    return judgement


async def test_who_beats_a_given_reference_has_the_greater_value() -> None:
    values = [(await judged(text, given="draft")).value for text in ("good", "bad", "fair")]
    assert values == [1, 0, 0.5]  # equals: the orders contradict each other


async def test_who_beats_a_greedy_reference() -> None:
    writer = Speaking(lambda prompt, seed: "fair")
    values = [(await judged(text, writer=writer, model="writer")).value for text in ("good", "bad")]
    assert values == [1, 0]
    assert (writer.requests[0].temperature, writer.prompts[0]) == (0, "which?\n")
    assert len(set(writer.requests)) == 1  # equal requests: the journal draws one


async def test_without_a_reference_there_is_no_value() -> None:
    lost = await judged("good", problem("which?"), given="draft")
    assert lost.failure is not None
    assert "has no 'draft'" in lost.failure.message
    writer = Speaking(lambda prompt, seed: "fair")
    writer._fails = lambda request, seed: BackendError("gone")
    lost = await judged("good", writer=writer, model="writer")
    assert lost.failure is not None
    assert "gone" in lost.failure.message


def test_a_pair_judge_without_a_reference_is_refused() -> None:
    for options in ({}, {"given": "draft", "model": "writer"}):
        with pytest.raises(ValidationError, match="gives no value to a single answer"):
            options_of(**options)
    with pytest.raises(ValidationError, match="by_value compares values that another reward gave"):
        options_of(given="draft", judge={"kind": "by_value"})


def test_a_pair_judge_in_the_place_of_a_reward_is_refused_with_the_reason() -> None:
    node = {
        "kind": "search",
        "algorithm": {"kind": "mcts"},
        "policy": {"kind": "solver", "model": "m"},
        "reward": {"kind": "pair_judge", "model": "m"},
    }
    with pytest.raises(ConfigError, match=r"judges pairs and gives no value to a single answer.*against_reference"):
        read_workflow({"models": {"m": {"kind": "scripted", "answers": ["x"]}}, "nodes": {"a": node}}, {}, Path())


def test_its_needs_are_those_of_both_models() -> None:
    options = options_of(model="writer", style="completion")
    assert needs_of_part(options) == {"writer": {"completion"}, "judge": {"chat"}}
    assert needs_of_part(options_of(model="judge", style="completion")) == {"judge": {"chat", "completion"}}


@pytest.mark.parametrize("judge", [{"kind": "ab_prompt"}, {"kind": "pair_judge", "max_tokens": 9}])
@pytest.mark.parametrize(
    "places", ["$first $second", "$first $second $second $second", "$first $second $first ${first}"]
)
@pytest.mark.parametrize("words", [(200, 3), (3, 200)])
async def test_its_bound_holds_however_often_the_judge_is_shown_the_answers(
    judge: dict[str, Any], places: str, words: tuple[int, int]
) -> None:
    backend = Speaking(lambda prompt, seed: "a " * 500)
    options = options_of(model="m", max_tokens=words[1], judge={**judge, "model": "m", "prompt": places})
    reward = against_reference.build(options, parts(backend))
    bound = reward.bound(Trajectory(problem("which?")), words[0])
    await reward.score([Trajectory(problem("which?"), (Step("b " * words[0]),))])
    assert 0 < backend.used.prompt_tokens <= bound.prompt_tokens
    assert backend.used.calls <= bound.calls
