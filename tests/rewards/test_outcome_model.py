"""Outcome models: what the server is asked, which number counts, on which scale, and what is no number."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.rewards import outcome_model
from branchwise.orchestrator.rewards.activations import Activation, activated
from tests.rewards.asking import Pooling, built, judgement, numbers, options_of, parts_of, solution

ANSWER = solution("It is ", "42.", text="What is it?")


def over(model: Pooling, **written: Any) -> Any:
    return built(parts_of({"rm": model}), kind="outcome_model", model="rm", **written)


async def of(*rows: tuple[float, ...], **written: Any) -> Judgement:
    return await judgement(over(Pooling(lambda request: numbers(*rows)), **written), ANSWER)


@pytest.mark.parametrize(
    ("row", "written", "value", "scale"),
    [
        ((-3.5,), {}, -3.5, "raw"),
        ((1.0, 2.0), {"column": 1}, 2.0, "raw"),
        ((1.0, 2.0), {"column": -1}, 2.0, "raw"),
        ((0.0,), {"activation": "sigmoid"}, 0.5, "probability"),
        ((-1000.0,), {"activation": "sigmoid"}, 0.0, "probability"),
        ((0.0, math.log(3)), {"activation": "softmax", "column": 1}, 0.75, "probability"),
        ((-1000.0, 1000.0), {"activation": "softmax", "column": 1}, 1.0, "probability"),
    ],
)
async def test_a_number_and_its_scale(
    row: tuple[float, ...], written: dict[str, Any], value: float, scale: str
) -> None:
    found = await of(row, **written)
    assert found.value == pytest.approx(value)
    assert (found.scale, found.source, found.step_values) == (scale, "learned", ())
    assert found.factors == (("raw", row[written.get("column", 0)]),)
    assert options_of(kind="outcome_model", model="rm", **written).scale == scale


@pytest.mark.parametrize(
    ("rows", "written", "message"),
    [
        ((), {}, "0 rows"),
        (((1.0,), (2.0,)), {}, "2 rows"),
        (((),), {}, "no column 0"),
        (((1.0,),), {"column": 1}, "no column 1"),
        (((1.0,),), {"column": -2}, "no column -2"),
        (((math.nan,),), {}, "not a finite number"),
        (((math.inf,),), {"activation": "sigmoid"}, "not a finite number"),
        (((1.0,),), {"activation": "softmax"}, "use sigmoid"),
    ],
)
async def test_what_is_no_number(rows: tuple[tuple[float, ...], ...], written: dict[str, Any], message: str) -> None:
    found = await of(*rows, **written)
    assert found.failure is not None
    assert message in found.failure.message


async def test_what_a_classifier_is_asked() -> None:
    model = Pooling(lambda request: numbers((1.0,)))
    await judgement(over(model, system="Be strict."), ANSWER)
    await judgement(over(model, style="completion", prompt="Problem: $problem $$ $5 $$x\n"), ANSWER)
    chat, plain = model.asked
    assert [each.text for each in chat.messages] == ["Be strict.", "What is it?", "It is 42."]
    assert plain.prompt == "Problem: What is it? $ $5 $x\nIt is 42."
    assert {(each.pooling, each.max_tokens) for each in model.asked} == {("classify", 0)}


async def test_what_a_reranker_is_asked() -> None:
    model = Pooling(lambda request: numbers((1.0,)))
    await judgement(over(model, ask="score"), ANSWER)
    assert (model.asked[0].prompt, model.asked[0].document, model.asked[0].pooling) == (
        "What is it?",
        "It is 42.",
        "score",
    )
    assert outcome_model.needs(options_of(kind="outcome_model", model="rm", ask="score")) == {
        "rm": frozenset({"pooling", "completion"})
    }


async def test_a_dead_server_costs_one_judgement() -> None:
    def dying(request: Request) -> Draw:
        if "42" in request.messages[-1].text:
            raise BackendError("gone")
        return numbers((1.0,))

    lost, found = await over(Pooling(dying)).score([ANSWER, solution("7")])
    assert (lost.failure.message, found.value) == ("gone", 1.0)


async def test_nothing_written_is_not_asked_about() -> None:
    model = Pooling(lambda request: numbers((1.0,)))
    assert (await judgement(over(model), solution())).failure is not None
    assert model.asked == []


def test_its_bound_is_one_call() -> None:
    bound = over(Pooling(lambda request: numbers((1.0,)))).bound(ANSWER, 10)
    assert (bound.prompt_tokens, bound.completion_tokens, bound.calls) == (len("What is it?It is 42.") + 20, 0, 1)


@given(st.lists(st.floats(), max_size=4), st.integers(-5, 5), st.sampled_from(["none", "sigmoid", "softmax"]))
def test_hostile_rows_never_become_a_probability_that_is_none(row: list[float], column: int, by: Activation) -> None:
    try:
        score = activated(row, column, by)
    except ValueError:
        return
    assert by == "none" or math.isnan(score) or 0 <= score <= 1
