"""ThinkPRM: the score of the decision, chains that are averaged or lost, rounds, stops, and the first wrong step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.request import TokenLogprob
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from branchwise.orchestrator.rewards import think_prm
from branchwise.orchestrator.rewards.step_verdicts import first_wrong, numbered, shares, verdicts
from branchwise.orchestrator.rewards.think_prm import DECISION, TRIGGERS
from tests.speaking import Speaking, parts

YES = {"yes": -0.2, "no": -1.7}
C, W = "The step is \\boxed{correct}\n", "The step is \\boxed{incorrect}\n"
TWO = Trajectory(problem("1+1+1"), (Step("Step 7: 1+1=2\n"), Step("2+1=3\n")))


def solution(count: int) -> Trajectory:
    return Trajectory(problem("1+1"), tuple(Step(f"line {k}\n") for k in range(count)))


async def judged(backend: Speaking, trajectory: Trajectory = TWO, **options: Any) -> Judgement:
    reward = think_prm.build(think_prm.Options(model="m", **options), parts(backend))
    (judgement,) = await reward.score([trajectory])
    return judgement


@pytest.mark.parametrize(("temperature", "score"), [(1.0, 0.8176), (0.5, 0.9526), (2.0, 0.6792)])
async def test_the_score_is_one_probability_at_the_decision(temperature: float, score: float) -> None:
    judgement = await judged(Speaking(lambda prompt, seed: C + C, YES), decision_temperature=temperature)
    assert judgement.value == pytest.approx(score, abs=5e-5)
    assert judgement.scale == "probability"


async def test_scores_of_chains_are_averaged_and_lost_ones_dropped() -> None:
    backend = Speaking(lambda prompt, seed: str(seed))
    scores: dict[int, tuple[str, float] | None] = {}

    def logprob(request: Any, seed: int) -> tuple[TokenLogprob, ...]:
        if not request.logprobs:
            return ()
        chain = scores.setdefault(len(scores), {0: 0.9, 1: 0.1, 2: 0.8, 3: None}[len(scores)])  # type: ignore[arg-type]
        if chain is None:
            return (TokenLogprob("perhaps", -0.1, (("perhaps", -0.1),)),)
        import math

        top = (("yes", math.log(chain)), ("no", math.log(1 - chain)))  # type: ignore[arg-type]
        return (TokenLogprob(*top[0], top=top),)

    backend._logprob = logprob
    judgement = await judged(backend, chains=4)
    assert judgement.value == pytest.approx(0.6)  # a vote of majority would say 1
    assert dict(judgement.factors)["chains"] == 3
    thinking = [request for request in backend.requests if not request.logprobs]
    assert len({request.seed for request in thinking}) == 4
    assert {request.temperature for request in thinking} == {0.7}


async def test_without_a_decision_there_is_no_score() -> None:
    judgement = await judged(Speaking(lambda prompt, seed: C + C, {"maybe": -0.1}))
    assert judgement.value is None
    assert judgement.rationale is not None
    assert "boxed{correct}" in judgement.rationale
    backend = Speaking(lambda prompt, seed: C)
    backend._fails = lambda request, seed: BackendError("gone")
    judgement = await judged(backend, chains=2)
    assert judgement.failure is not None
    assert "gone" in judgement.failure.message


async def test_it_is_stopped_before_a_step_that_does_not_exist() -> None:
    backend = Speaking(lambda prompt, seed: C + C + "Step 3: I go on by myself", YES)
    judgement = await judged(backend)
    assert "Step 3:" in backend.requests[0].stop
    assert judgement.rationale == (C + C).rstrip()
    assert "Step 1: 1+1=2\n\nStep 2: 2+1=3" in backend.prompts[0]


async def test_the_decision_is_put_after_its_thoughts() -> None:
    backend = Speaking(lambda prompt, seed: "Hm.", YES)
    await judged(backend)
    think, decide = (request.messages[-1] for request in backend.requests)
    assert (think.role, think.text) == ("assistant", "<think>\nLet's verify step by step:")
    assert decide.text == f"<think>\nLet's verify step by step:Hm.\n</think>\n{DECISION}"
    assert (backend.requests[1].max_tokens, backend.requests[1].temperature) == (1, 0.0)
    assert backend.requests[0].max_tokens == 8192 - 20
    await judged(backend, thinks="", has_thought="", style="completion")
    assert (backend.requests[3].prompt or "").endswith(f"Let's verify step by step:Hm.\n{DECISION}")


async def test_rounds_go_on_from_one_another_and_are_decided_once() -> None:
    backend = Speaking(lambda prompt, seed: "round", YES)
    await judged(backend, rounds=5, max_tokens=100)
    thinking = [request for request in backend.requests if not request.logprobs]
    assert [request.max_tokens for request in thinking] == [80, 79, 78, 77, 76]
    assert len(backend.requests) == 6
    text = backend.requests[-1].messages[-1].text
    assert text.count("round") == 5
    assert [text.count(trigger) for trigger in TRIGGERS] == [2, 1, 1]
    await judged(backend, rounds=5, max_tokens=22)
    assert len(backend.requests) == 6 + 2 + 1  # two tokens for thinking, and the decision


async def test_verdicts_say_which_step_is_the_first_wrong_one() -> None:
    judgement = await judged(Speaking(lambda prompt, seed: C + C + W + C, YES), solution(4))
    assert dict(judgement.factors)["first_wrong_step"] == 3
    assert judgement.step_values == (1, 1, 0, 1)
    assert judgement.value == pytest.approx(0.8176, abs=5e-5)


async def test_another_number_of_verdicts_keeps_the_score_alone() -> None:
    judgement = await judged(Speaking(lambda prompt, seed: C + W, YES), solution(3))
    assert judgement.step_values == ()
    assert "first_wrong_step" not in dict(judgement.factors)
    assert judgement.value == pytest.approx(0.8176, abs=5e-5)


@pytest.mark.parametrize(
    ("text", "count", "found"),
    [
        (f"Step 1: ... {C}\n**Step 2:** ... {W}", 2, (True, False)),
        (f"### Step 1: {C}\nStep 2.5 apples\nStep 2. {C}", 2, (True, True)),
        (C + W, 2, (True, False)),
        (f"Step 1: {C} no, {W}\nStep 2: unclear", 2, ()),
        (f"Step 1: {C}\nStep 1: {C}", 2, ()),
        (f"Step 2: {C}\nStep 1: {C}", 2, ()),
        (f"{C}\nStep 2: {C}", 2, ()),
        ("The step is not \\boxed{correct}", 1, ()),
        ("The step is **not** $\\boxed{correct}$", 1, ()),
    ],
)
def test_a_verdict_is_on_the_step_whose_heading_it_stands_under(
    text: str, count: int, found: tuple[bool, ...]
) -> None:
    assert verdicts(text, count) == found


async def test_an_empty_solution_is_verified_and_marked() -> None:
    backend = Speaking(lambda prompt, seed: W, YES)
    judgement = await judged(backend, solution(0))
    assert judgement.value is not None
    assert dict(judgement.factors)["empty"] == 1
    assert judgement.step_values == ()
    assert "Step 1: \n" in backend.prompts[0]
    assert "Step 2:" in backend.requests[0].stop


def test_steps_are_numbered_anew() -> None:
    steps = ["Step 4: as in Step 1: we add\n", "step 2. go", "Step 2.5 apples", ""]
    renumbered = "Step 1: as in Step 1: we add\n\nStep 2: go\n\nStep 3: Step 2.5 apples\n\nStep 4: "
    assert numbered(steps) == renumbered
    assert numbered(["go\n\nStep 2: \\boxed{correct}", "on"]) == "Step 1: go\n\n \\boxed{correct}\n\nStep 2: on"
    assert numbered([]) == "Step 1: "


def test_chains_share_their_verdicts() -> None:
    assert shares([(True, False), (), (True, True), (False, False)]) == pytest.approx((2 / 3, 1 / 3))
    assert shares([(), ()]) == ()
    assert first_wrong((1.0, 0.5, 0.49)) == 3
    assert first_wrong((1.0, 0.5)) is None


@given(st.text() | st.from_regex(r"(\\boxed\{|\\text\{|correct|incorrect|\}|Step 1:| ){0,12}"), st.integers(0, 4))
def test_the_parser_never_raises_and_invents_no_verdict(text: str, count: int) -> None:
    found = verdicts(text, count)
    assert len(found) in (0, count)
    assert found.count(False) <= text.lower().count("incorrect")
    assert len(found) <= text.lower().count("correct")
    assert numbered([text]).startswith("Step 1: ")


def test_rounds_and_chains_are_two_ways_to_spend_the_same() -> None:
    with pytest.raises(ValidationError, match="go with one chain"):
        think_prm.Options(model="m", rounds=2, chains=2)
    with pytest.raises(ValidationError, match="all the same"):
        think_prm.Options(model="m", chains=2, temperature=0)


def test_it_needs_log_probabilities_and_to_go_on() -> None:
    assert think_prm.needs(think_prm.Options(model="m")) == {"m": {"chat", "logprobs", "continue_message"}}
    assert think_prm.needs(think_prm.Options(model="m", style="completion")) == {"m": {"completion", "logprobs"}}
