"""Labels after steps: any pair of them, what is asked, steps that keep their score, failures."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards import label_token
from tests.rewards.asking import Pooling, built, judgement, options_of, parts_of, solution

STEPS = solution("good one\n", "bad one\n", "good two", text="Q")
MINIMUM: dict[str, Any] = {"kind": "label_token", "model": "m", "reducer": "min"}


def drawn(*top: tuple[str, float]) -> Draw:
    told = tuple((token, math.log(chance)) for token, chance in top)
    return Draw(top[0][0], "length", Usage(calls=1), logprobs=(TokenLogprob(*told[0], top=told),))


def labelling(good: str, bad: str) -> Pooling:
    """0.8 for the good label after a step that says good, 0.2 after another."""

    def answer(request: Request) -> Draw:
        likes = 0.8 if (request.prompt or "").splitlines()[-1].startswith("good") else 0.2
        return drawn((good, likes), (bad, 1 - likes))

    return Pooling(answer)


def over(model: Pooling, **written: Any) -> Any:
    return built(parts_of({"m": model}), **(MINIMUM | written))


@pytest.mark.parametrize(
    ("good", "bad", "tokens"),
    [("+", "-", ("+", "-")), ("Yes", "No", (" Yes", " No")), ("correct", "incorrect", (" cor", " inc"))],
)
async def test_any_pair_of_labels(good: str, bad: str, tokens: tuple[str, str]) -> None:
    found = await judgement(over(labelling(*tokens), good=good, bad=bad), STEPS)
    assert found.step_values == pytest.approx((0.8, 0.2, 0.8))
    assert found.value == pytest.approx(0.2)


async def test_a_label_is_asked_for_after_each_step_without_a_score() -> None:
    model = labelling("+", "-")
    scored = solution("good one\n", "bad one\n", "good two", text="Q", scores=[0.7])
    found = await judgement(over(model), scored)
    assert found.step_values == pytest.approx((0.7, 0.2, 0.8))
    assert sorted(request.prompt or "" for request in model.asked) == [
        "Q\ngood one\nbad one\n",
        "Q\ngood one\nbad one\ngood two\n",
    ]
    assert {(request.max_tokens, request.temperature, request.logprobs) for request in model.asked} == {(1, 0.0, 8)}


async def test_its_bound_holds_for_steps_that_nobody_scored() -> None:
    model = labelling("+", "-")
    reward = over(model)
    bound = reward.bound(solution("good one\n", "bad one\n", text="Q"), 10, 1)
    await judgement(reward, STEPS)
    assert (len(model.asked), bound.calls, bound.completion_tokens) == (3, 3, 3)
    assert sum(model.count_prompt(request)[0] for request in model.asked) <= bound.prompt_tokens
    assert reward.bound(solution("x", scores=[0.1]), 10, 1).calls == 1


@pytest.mark.parametrize("prompt", ["$problem\n$steps", "$steps $problem $steps ${steps}"])
async def test_its_bound_holds_for_what_ends_a_step(prompt: str) -> None:
    model = labelling("+", "-")
    reward = over(model, step_end=" Was this step a good one?\n", prompt=prompt)
    bound = reward.bound(solution(text="Q"), 3, 3)
    await judgement(reward, solution("a", "b", "c", text="Q"))
    assert sum(model.count_prompt(request)[0] for request in model.asked) <= bound.prompt_tokens


async def test_a_chat_model_writes_its_label_too() -> None:
    model = Pooling(lambda request: drawn(("+", 0.8), ("-", 0.2)))
    assert (await judgement(over(model, style="chat", system="Mark it."), STEPS)).value == pytest.approx(0.8)
    assert [message.role for message in model.asked[0].messages] == ["system", "user"]


async def test_without_either_label_there_is_no_number() -> None:
    found = await judgement(over(Pooling(lambda request: drawn(("maybe", 1.0)))), STEPS)
    assert (found.value, found.rationale) == (None, "maybe")

    def dead(request: Request) -> Draw:
        raise BackendError("gone")

    lost = await judgement(over(Pooling(dead)), STEPS)
    assert lost.failure is not None
    assert lost.failure.message == "gone"


@pytest.mark.parametrize(("good", "bad"), [("step is right", "step is wrong"), ("+", "+"), (" ", "-")])
def test_labels_that_can_not_be_told_apart_are_refused(good: str, bad: str) -> None:
    with pytest.raises(ValidationError, match="told apart"):
        options_of(**MINIMUM, good=good, bad=bad)


def test_the_last_step_alone_goes_with_the_last_score() -> None:
    with pytest.raises(ValidationError, match="goes with reducer last"):
        options_of(**MINIMUM, every_step=False)


async def test_exactly_the_labels_are_asked_for_where_the_model_tells_them() -> None:
    model = labelling("+", "-")
    found = await judgement(over(model, exact=True), STEPS)
    assert found.step_values == pytest.approx((0.8, 0.2, 0.8))
    assert {(request.labels, request.logprobs) for request in model.asked} == {(("+", "-"), None)}
    options = label_token.Options(model="m", reducer="min", exact=True)
    assert label_token.needs(options) == {"m": {"completion", "labels"}}
