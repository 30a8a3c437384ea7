"""The implicit process reward through its kind: what is asked of both models, its scales, its failures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.rewards import implicit_prm
from tests.rewards.asking import Pooling, built, judgement, options_of, parts_of, solution

TWO_STEPS = solution("abc\n", "def", text="Q")
WRITTEN: dict[str, Any] = {
    "kind": "implicit_prm", "model": "trained", "reference": "base", "coefficient": 0.05, "reducer": "min",
}  # fmt: skip


def saying(*logprobs: float) -> Callable[[Request], Draw]:
    """A model's answer: the prompt's one token that is told, then those of the solution."""
    pairs = zip(["\n", "ab", "c\n", "de", "f"], (-7.0, *logprobs), strict=True)
    told = tuple(TokenLogprob(*pair) for pair in pairs)
    return lambda request: Draw("", "length", Usage(calls=1), prompt_logprobs=told)


TRAINED, BASE = saying(-0.5, -1.0, -0.2, -0.7), saying(-0.9, -1.2, -0.5, -0.3)


async def value(**written: Any) -> tuple[float | None, tuple[float, ...]]:
    models = {"trained": Pooling(TRAINED), "base": Pooling(BASE)}
    found = await judgement(built(parts_of(models), **(WRITTEN | written)), TWO_STEPS)
    return found.value, found.step_values


@pytest.mark.parametrize(
    ("written", "expected", "steps"),
    [
        ({}, -0.005, (0.030, -0.005)),
        ({"reducer": "sum"}, 0.025, (0.030, -0.005)),
        ({"of": "cumulative", "reducer": "last"}, 0.025, (0.030, 0.025)),
        ({"coefficient": 0.001, "reducer": "sum"}, 0.0005, (0.0006, -0.0001)),
    ],
)
async def test_the_vector_of_the_paper(written: dict[str, Any], expected: float, steps: tuple[float, ...]) -> None:
    found, values = await value(**written)
    assert found == pytest.approx(expected)
    assert values == pytest.approx(steps)


async def test_sigmoid_makes_probabilities_of_step_rewards() -> None:
    found, values = await value(activation="sigmoid", coefficient=1.0)
    assert values == pytest.approx([1 / (1 + math.exp(-0.6)), 1 / (1 + math.exp(0.1))])
    assert found == min(values)


@pytest.mark.parametrize("style", ["chat", "completion"])
async def test_both_models_are_asked_the_same_for_their_prompts_tokens(style: str) -> None:
    trained, base = Pooling(TRAINED), Pooling(BASE)
    await judgement(built(parts_of({"trained": trained, "base": base}), **WRITTEN, style=style), TWO_STEPS)
    (request,) = trained.asked
    assert base.asked == [request]
    assert (request.prompt_logprobs, request.max_tokens, request.pooling) == (True, 0, None)
    if style == "chat":
        assert [(each.role, each.text) for each in request.messages] == [("user", "Q"), ("assistant", "abc\ndef")]
    else:
        assert request.prompt == "Q\nabc\ndef"


@pytest.mark.parametrize("steps", [("a b\n\n",), ("a b\n\n", "c\n\n"), ("a b\n\n", "c\n\n", "d")])
async def test_a_template_that_trims_the_message_leaves_an_unfinished_prefix_its_value(
    steps: tuple[str, ...],
) -> None:
    """As Llama 3's does, and those that add a mark of the end."""

    def trimming(logprob: float) -> Callable[[Request], Draw]:
        def draw(request: Request) -> Draw:
            rendered = "".join(f"<{each.role}>{each.text.strip()}" for each in request.messages)
            told = tuple(TokenLogprob(token, logprob) for token in (*rendered, "<|eot|>"))
            return Draw("", "length", Usage(calls=1), prompt_logprobs=told)

        return draw

    parts = parts_of({"trained": Pooling(trimming(-1.0)), "base": Pooling(trimming(-2.0))})
    found = await judgement(built(parts, **(WRITTEN | {"coefficient": 1.0})), solution(*steps))
    kept = [len(step) for step in (*steps[:-1], steps[-1].strip())]
    assert found.step_values == pytest.approx(kept)


async def test_white_space_alone_is_a_failure_that_costs_nothing() -> None:
    trained = Pooling(TRAINED)
    found = await judgement(
        built(parts_of({"trained": trained, "base": trained}), **WRITTEN), solution("\n\n", text="Q")
    )
    assert found.failure is not None
    assert "nothing was written" in found.failure.message
    assert trained.asked == []


async def test_what_can_not_be_scored_fails_with_the_reason() -> None:
    def dead(request: Request) -> Draw:
        raise BackendError("no answer")

    def other(request: Request) -> Draw:
        return Draw("", "length", Usage(), prompt_logprobs=(TokenLogprob("abc\ndef", -1.0),))

    for broken, message in ((dead, "no answer"), (other, "same tokenizer")):
        parts = parts_of({"trained": Pooling(TRAINED), "base": Pooling(broken)})
        found = await judgement(built(parts, **WRITTEN), TWO_STEPS)
        assert found.failure is not None
        assert message in found.failure.message


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"coefficient": None}, "coefficient"),
        ({"reducer": None}, "reducer"),
        ({"reference": "trained"}, "against itself"),
        ({"reducer": "product"}, "probabilities"),
        ({"reducer": "sum", "activation": "sigmoid"}, "sum of probabilities"),
    ],
)
def test_what_makes_no_sense_is_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        options_of(**{key: value for key, value in (WRITTEN | written).items() if value is not None})


def test_it_needs_log_probabilities_of_both() -> None:
    chat, plain = options_of(**WRITTEN), options_of(**WRITTEN, style="completion")
    assert implicit_prm.needs(plain) == dict.fromkeys(
        ("trained", "base"), frozenset({"completion", "prompt_logprobs"})
    )
    assert "continue_message" in implicit_prm.needs(chat)["base"]


def test_its_bound_holds_both_calls() -> None:
    models = {"trained": Pooling(TRAINED), "base": Pooling(BASE)}
    bound = built(parts_of(models), **WRITTEN, style="completion").bound(TWO_STEPS, 10)
    assert (bound.prompt_tokens, bound.completion_tokens, bound.calls) == (2 * (9 + 20), 2, 2)
