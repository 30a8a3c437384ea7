"""Process models: one row a step tag, reducers, views, merged steps, and scores that are kept."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.rewards.views import math_only
from tests.rewards.asking import Pooling, built, judgement, numbers, options_of, parts_of, solution

TAG = "<tag>"
WRITTEN: dict[str, Any] = {
    "kind": "process_model", "model": "prm", "step_tag": TAG, "reducer": "min", "activation": "none",
    "style": "completion",
}  # fmt: skip
THREE = solution("score 0.9\n", "score 0.6\n", "score 0.95\n", text="Q")


def reading(request: Request) -> Draw:
    """A row a tag: the last number before it, of its step the lowest."""
    text = request.prompt if request.prompt is not None else request.messages[-1].text
    pieces = text.split(TAG)[:-1]
    return numbers(*((min([float(x) for x in re.findall(r"[0-9.]+", piece)] or [0.0]),) for piece in pieces))


def over(model: Pooling, **written: Any) -> Any:
    return built(parts_of({"prm": model}), **(WRITTEN | written))


@pytest.mark.parametrize(("reducer", "value"), [("min", 0.6), ("last", 0.95), ("mean", 2.45 / 3), ("max", 0.95)])
async def test_its_own_reducer_makes_the_value(reducer: str, value: float) -> None:
    found = await judgement(over(Pooling(reading), reducer=reducer), THREE)
    assert found.value == pytest.approx(value)
    assert (found.step_values, found.scale, found.source) == ((0.9, 0.6, 0.95), "raw", "learned")


async def test_softmax_of_two_labels_and_their_product() -> None:
    odds = [math.log(p / (1 - p)) for p in (0.9, 0.6, 0.95)]
    model = Pooling(lambda request: numbers(*((1.0, 1.0 + each) for each in odds)))
    found = await judgement(over(model, activation="softmax", reducer="product"), THREE)
    assert found.step_values == pytest.approx((0.9, 0.6, 0.95))
    assert (found.value, found.scale) == (pytest.approx(0.513), "probability")
    one = Pooling(lambda request: numbers(*((each,) for each in odds)))
    assert (await judgement(over(one, activation="sigmoid"), THREE)).value == pytest.approx(0.6)


async def test_one_call_with_a_tag_behind_each_step() -> None:
    model = Pooling(reading)
    await judgement(over(model), THREE)
    (request,) = model.asked
    assert request.prompt == "Q\nscore 0.9<tag>score 0.6<tag>score 0.95<tag>"
    assert (request.pooling, request.max_tokens) == ("token_classify", 0)
    await judgement(over(model, style="chat", strip=False), THREE)
    assert model.asked[1].messages[-1].text == "score 0.9\n<tag>score 0.6\n<tag>score 0.95\n<tag>"


async def test_a_tag_that_the_policy_wrote_is_none() -> None:
    found = await judgement(over(Pooling(reading)), solution("bad 0.1 <tag> but 0.9\n", "0.8"))
    assert found.step_values == (0.1, 0.8)
    found = await judgement(over(Pooling(reading)), solution("0.9\n", "0.8", text="What is <tag> this?"))
    assert found.step_values == (0.9, 0.8)


@pytest.mark.parametrize("merged", [True, False])
async def test_what_is_no_number_in_either_reading_is_a_failure(merged: bool) -> None:
    def broken(request: Request) -> Draw:
        pieces = (request.prompt or "").split(TAG)[:-1]
        wrong = ("one two" in pieces[-1]) == merged and "two" in pieces[-1]
        return numbers(*((math.nan if wrong else 0.9,) for _ in pieces))

    found = await judgement(over(Pooling(broken), granularity="hierarchical"), solution("one", "two", text="Q"))
    assert (found.value, found.failure is None) == (None, False)


@pytest.mark.parametrize("rows", [0, 2, 4])
async def test_another_number_of_rows_is_a_failure(rows: int) -> None:
    found = await judgement(over(Pooling(lambda request: numbers(*[(0.5,)] * rows))), THREE)
    assert found.failure is not None
    assert f"{rows} rows of numbers for 3 steps" in found.failure.message
    assert found.rationale == THREE.text


async def test_steps_that_have_their_score_keep_it() -> None:
    model = Pooling(reading)
    found = await judgement(over(model), solution("0.9\n", "0.6\n", "0.95\n", scores=[0.2]))
    assert found.step_values == (0.2, 0.6, 0.95)
    assert (await judgement(over(model), solution("0.9\n", scores=[0.2]))).value == 0.2
    assert len(model.asked) == 1


async def test_the_last_step_alone() -> None:
    model = Pooling(reading)
    found = await judgement(over(model, view="last_step"), solution("0.9\n", "0.6\n", text="Q", scores=[0.9]))
    assert found.step_values == (0.9, 0.6)
    assert [request.prompt for request in model.asked] == ["Q\n0.6<tag>"]


async def test_mathematics_alone() -> None:
    model = Pooling(reading)
    steps = solution("We add $1+2=3$ apples, and so 3 + 4 = 7.\n", "Hence \\boxed{7}.", text="Q")
    await judgement(over(model, view="math_only"), steps)
    assert model.asked[0].prompt == "Q\n1+2=3\n3 + 4 = 7<tag>\\boxed{7}<tag>"


async def test_merged_steps_are_read_as_one() -> None:
    model = Pooling(reading)
    found = await judgement(over(model, granularity="merged"), THREE)
    assert found.step_values == (0.9, 0.6, 0.6)
    assert [request.prompt for request in model.asked] == [
        "Q\nscore 0.9<tag>",
        "Q\nscore 0.9 score 0.6<tag>",
        "Q\nscore 0.9<tag>score 0.6 score 0.95<tag>",
    ]


async def test_an_error_that_the_next_step_mends_is_punished_once() -> None:
    def mending(request: Request) -> Draw:
        pieces = (request.prompt or "").split(TAG)[:-1]
        bad = [("wrong" in piece and "mended" not in piece) or piece == "mended" for piece in pieces]
        return numbers(*((0.1 if each else 0.9,) for each in bad))

    steps = solution("right", "wrong", "mended", text="Q")
    model = Pooling(mending)
    assert (await judgement(over(model), steps)).step_values == (0.9, 0.1, 0.1)
    assert (await judgement(over(model, granularity="hierarchical"), steps)).step_values == (0.9, 0.1, 0.9)


async def test_a_dead_server_costs_one_judgement() -> None:
    def dying(request: Request) -> Draw:
        if "0.1" in (request.prompt or ""):
            raise BackendError("gone")
        return reading(request)

    lost, found = await over(Pooling(dying)).score([solution("0.1"), solution("0.7")])
    assert (lost.failure.message, found.value) == ("gone", 0.7)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"reducer": None}, "reducer"),
        ({"step_tag": None}, "step_tag"),
        ({"reducer": "product"}, "raw scores"),
        ({"view": "last_step", "granularity": "merged"}, "merged"),
    ],
)
def test_what_makes_no_sense_is_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        options_of(**{key: value for key, value in (WRITTEN | written).items() if value is not None})


@pytest.mark.parametrize(
    ("written", "calls"), [({}, 1), ({"granularity": "merged"}, 4), ({"granularity": "hierarchical"}, 8)]
)
async def test_its_bound_is_never_exceeded(written: dict[str, Any], calls: int) -> None:
    model = Pooling(reading)
    reward = over(model, **written)
    bound = reward.bound(THREE, 10, 1)
    await judgement(reward, solution(*(step.text for step in THREE.steps), "0.7 abcd", text="Q"))
    assert bound.calls == calls
    assert len(model.asked) <= calls
    assert sum(model.count_prompt(request)[0] for request in model.asked) <= bound.prompt_tokens


async def test_its_bound_holds_for_a_tag_of_many_tokens() -> None:
    model = Pooling(lambda request: numbers(*[(0.5,)] * (request.prompt or "").count(" so is this step right? ")))
    reward = over(model, step_tag=" so is this step right? ")
    bound = reward.bound(solution(text="Q"), 3, 3)
    assert (await judgement(reward, solution("a", "b", "c", text="Q"))).value == 0.5
    assert sum(model.count_prompt(request)[0] for request in model.asked) <= bound.prompt_tokens


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("no mathematics here", ""),
        ("so $x = 2$ and \\(y\\), then \\[z^2 = 4\\]", "x = 2\ny\nz^2 = 4"),
        ("He has 16 - 3 - 4 = 9 eggs.", "16 - 3 - 4 = 9"),
        ("well-known words and a/b", "a/b"),
        ("$$1$$ $2$", "1\n2"),
    ],
)
def test_formulas(text: str, formulas: str) -> None:
    assert math_only(text) == formulas


@given(st.text() | st.text("$\\[]()0123456789=+-*/ ab\n"))
def test_hostile_text_has_formulas_or_none(text: str) -> None:
    assert len(math_only(text)) <= len(text) + text.count("$") + 1


@given(
    st.lists(st.lists(st.floats() | st.just(1e308), max_size=3), max_size=4),
    st.sampled_from(["softmax", "sigmoid", "none"]),
    st.sampled_from(["last", "min", "mean", "max"]),
)
async def test_hostile_rows_never_raise(rows: list[list[float]], activation: str, reducer: str) -> None:
    backend = Pooling(lambda request: numbers(*rows))
    found = await judgement(over(backend, activation=activation, reducer=reducer), THREE)
    assert (found.value is None) == (found.failure is not None)
