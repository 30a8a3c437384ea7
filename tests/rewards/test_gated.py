"""The gate: master keys never reach the judge, honest answers always do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.options import Parts, source_of
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.content import OPENERS, _without_openers, refusal
from branchwise.sandboxes.calculator import evaluate
from tests.rewards.asking import PARTS, built, judgement, no_model, options_of, solution

YES = {"kind": "rule", "callable": f"{__name__}:yes"}
EXACT = {"kind": "rule", "callable": f"{__name__}:is_right"}
FAINT = {"kind": "rule", "callable": f"{__name__}:faint"}
MASTER_KEYS = (
    "", " ", ".", ",", ":", "Thought process:", "Let's solve this problem step by step.", "Solution", "解", "解答",
    "かいせつ", "Respuesta", "Solución",
)  # fmt: skip
asked: list[str] = []


def yes(trajectory: Trajectory) -> float:
    asked.append(trajectory.text)
    return 1.0


def is_right(trajectory: Trajectory) -> float:
    return float(trajectory.text == "42")


def faint(trajectory: Trajectory) -> float:
    return 1e-9


async def accepted(parts: Parts = PARTS, **reward: object) -> float:
    """The share of master keys that a reward finds right."""
    found = await built(parts, **reward).score([solution(key) for key in MASTER_KEYS])
    return sum((each.value or 0.0) >= 0.5 for each in found) / len(found)


async def test_false_positives_of_master_keys() -> None:
    assert await accepted(**YES) == 1.0
    assert await accepted(**EXACT) == 0.0
    assert await accepted(kind="gated", reward=YES) == 0.0


async def test_a_key_ranks_below_the_worst_honest_answer() -> None:
    gate = built(kind="gated", reward=FAINT)
    honest = await judgement(gate, solution("It is 7, I think."))
    assert honest.value == 1e-9
    for key in MASTER_KEYS:
        refused = await judgement(gate, solution(key))
        assert (refused.value, refused.rationale) == (None, key)
        assert refused.failure is not None
        assert refused.failure.boundary == "reward"


async def test_the_judge_is_never_asked_about_a_key() -> None:
    asked.clear()
    trajectories = [solution("42"), solution("."), solution("\\frac{1}{2}"), solution("Solution:")]
    found = await built(kind="gated", reward=YES).score(trajectories)
    assert [each.value for each in found] == [1.0, None, 1.0, None]
    assert asked == ["42", "\\frac{1}{2}"]


async def test_what_is_still_growing_is_judged_as_it_is() -> None:
    growing = replace(solution("Let's think step by step."), stop=None)
    assert (await judgement(built(kind="gated", reward=YES), growing)).value == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "4",
        "Solution: 42",
        "π",
        "∞",
        "yes",
        "Paris",
        "First",
        "x",
        "$x$",
        "The solution is Paris",
        "四",
        "½",
        "x > y",
        "<",
        ">",
        "+",
        "-",
        "$<$",
        "\\boxed{\\geq}",
        "\\boxed{=}",
        "＜",
        "<=",
        "\\emptyset",
        *"&|^~",
        "\\boxed{\\text{yes}}",
        "\\boxed{\\mathbb{R}}",
        "<think></think>Paris</s>",
        "The final answer is: Paris",
        "Here is my solution: Paris",
        "We can conclude that no such triangle exists.",
        "This problem has no solution because the two lines are parallel.",
        "This problem is undecidable, as Turing showed.",
        "We can say that x equals y",
        "First Amendment of the United States Constitution",
        "We will get a line that touches the circle.",
        "To be equal, both sides have to vanish.",
        "Let us look closer: that is impossible.",
        "I need to sleep, says the cat.",
        "To find the area of a circle, multiply pi by the square of its radius.",
        "To start the car, turn the key clockwise.",
        "The question asks for the capital of France: it is Paris.",
    ],
)
def test_answers_pass(text: str) -> None:
    assert refusal(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "...", "\u200b", "$$", "\\[ \\]", "**", "Solution: ", "Thought Process :",
        "Let\u2019s solve this problem step by step",
        "Sure! Let's think step by step. Solution:", "To solve this problem, we need to find the number of",
        "Let us first look at what is given.", "ＳＯＬＵＴＩＯＮ", "\\boxed{}", "The answer is \\boxed{}.",
        "$\\boxed{\\text{}}$", "\\begin{align*} \\end{align*}", "The final answer is:", "The answer:",
        "<think></think>", "<answer></answer>", "</s>", "<|im_end|>", "Here is my solution:",
        "First, let us understand the problem.", "In order to answer this, we look at the given equation",
        "We need to carefully analyze the problem.", "Now we will first compute the sum of all of them.",
        "To solve this, we first find the sum, then the rest", "To solve this problem, find the sum of them",
        "The problem asks for the number of ways", "I'll start by looking at the first equation",
        "<think>It must be Paris.</think>", "<think>It must be Paris", "Therefore, the answer is",
        "The correct answer is:", "So, the final answer is", "!", "?",
        "Let me think step by step.", "Sure! Here is the solution to your problem:", "- - -", "##",
    ],
)  # fmt: skip
def test_texts_without_content_do_not(text: str) -> None:
    assert refusal(text) is not None


class Words(list[str]):
    """Words that count how many of them are copied."""

    copied = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if not isinstance(key, slice):
            return found
        Words.copied += len(found)
        return Words(found)


def test_openers_in_a_row_take_a_time_that_grows_with_their_number() -> None:
    words = Words(["sure"] * 3000)
    Words.copied = 0
    assert list(_without_openers(words)) == []
    assert Words.copied <= 10 * len(words)


def test_an_answer_that_the_task_reads_in_a_sentence_passes() -> None:
    text = "To find the capital we look at Paris."
    assert refusal(text) is not None
    assert refusal(text, "Paris") is None
    assert refusal(text, text) is not None


async def test_the_task_is_asked_for_its_answer() -> None:
    text = "To find the capital we look at Paris."
    parts = Parts(no_model, lambda trajectory: Answer("Paris", "paris"), evaluate=evaluate)
    assert (await judgement(built(parts, kind="gated", reward=YES), solution(text))).value == 1.0
    assert (await judgement(built(kind="gated", reward=YES), solution(text))).value is None


@given(st.text(), st.sampled_from("0123456789٣四Ⅷ"), st.text())
def test_what_holds_a_digit_passes(before: str, digit: str, after: str) -> None:
    assume("think>" not in before + after)
    assert refusal(before + digit + after) is None


@given(st.lists(st.sampled_from([*OPENERS, *MASTER_KEYS, ".", " ", "\n", ":", "!"]), max_size=6))
def test_openers_in_a_row_are_still_no_answer(pieces: list[str]) -> None:
    assert refusal(" ".join(pieces)) is not None


@given(st.text(), st.none() | st.text())
def test_hostile_text_never_raises(text: str, answer: str | None) -> None:
    assert refusal(text, answer) is None or not any(character in text for character in "0123456789")


def test_it_says_of_the_other_reward_what_a_workflow_asks() -> None:
    options = options_of(kind="gated", reward={"kind": "label_token", "model": "verifier", "reducer": "last"})
    assert (source_of(options), options.reward.model, options.scale) == ("learned", "verifier", "probability")
    assert (options.reducer, options.described) == ("last", "label_token, gated")
