"""Judges of pairs: the laws of every kind on disk, and what each of them goes by."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branchwise import ScriptedBackend
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.expansion import Answer, Candidate
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob
from branchwise.orchestrator.core.roles import Pair, PairJudge
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.judges.orders import combine_orders
from branchwise.orchestrator.plugins import find, kinds
from tests.laws.toy import ROOT


def candidate(text: str, value: float | None = None) -> Candidate:
    judgement = failed("nothing") if value is None else judged(value, scale="probability", source="rule")
    return Candidate(ROOT.extend((Step(text),), 0, StopReason.ANSWERED), Answer(text, text), judgement)


class Labeller(ScriptedBackend):
    """Says A with the chance that ``chances(prompt)`` gives, B with the rest; in a text the likelier one, if any."""

    def __init__(self, chances: Any) -> None:
        super().__init__(lambda request, seed: "A")
        self.chances, self.requests = chances, list[Request]()

    async def generate(self, request: Request, progress: Any = None) -> tuple[Draw, ...]:
        self.requests.append(request)
        chance = self.chances(request.prompt or request.messages[0].text)
        if request.logprobs is None:
            verdict = "[[A]]" if chance > 0.5 else "[[B]]" if chance < 0.5 else "Both are fine."
            return (Draw(verdict, "end", Usage(9, 1, calls=1)),)
        top = tuple((label, math.log(p)) for label, p in ((" A", chance), ("B", 1 - chance)) if p)
        return (Draw("A", "length", Usage(9, 1, calls=1), logprobs=(TokenLogprob(*top[0], top=top),)),)


def shown_first(prompt: str) -> str:
    return prompt.partition("Answer A:\n")[2].partition("\n")[0]


def built(kind: str, backend: Any = None, **options: Any) -> PairJudge:
    module = find("judge", kind).module
    if "model" in module.Options.model_fields:
        options = {"model": "m"} | options
    parts = Parts(lambda name: backend, lambda trajectory: None)
    judge: PairJudge = module.build(module.Options(**options), parts)
    return judge


def compared(judge: PairJudge, *pairs: Pair) -> list[Any]:
    return asyncio.run(judge.compare(pairs))


def liking(text: str) -> float:
    return {"good": 0.9, "fair": 0.5, "bad": 0.1}[text]


CANDIDATES = [candidate("good", 0.9), candidate("fair", 0.5), candidate("bad", 0.1), candidate("bad")]
PAIRS = [Pair(one, other) for one in CANDIDATES for other in CANDIDATES]


@pytest.mark.parametrize("kind", sorted(kinds("judge")))
class TestLaws:
    def test_its_kind_is_its_file_and_every_option_is_described(self, kind: str) -> None:
        options = find("judge", kind).module.Options
        assert options.model_fields["kind"].default == kind
        assert all(field.description for name, field in options.model_fields.items() if name != "kind")

    def test_same_length_same_order_a_batch_as_one_by_one(self, kind: str) -> None:
        judge = built(kind, Labeller(lambda prompt: liking(shown_first(prompt))))
        together = compared(judge, *PAIRS)
        assert together == [compared(judge, pair)[0] for pair in PAIRS]
        assert compared(judge) == []

    def test_the_other_way_round_is_the_rest(self, kind: str) -> None:
        judge = built(kind, Labeller(lambda prompt: liking(shown_first(prompt))))
        for pair in PAIRS:
            one, other = compared(judge, pair, Pair(pair.second, pair.first))
            if one.value is not None:
                assert (one.scale, other.scale) == ("probability", "probability")
                assert one.value + other.value == pytest.approx(1)

    def test_the_better_one_wins(self, kind: str) -> None:
        judge = built(kind, Labeller(lambda prompt: liking(shown_first(prompt))))
        (judgement,) = compared(judge, Pair(candidate("good", 0.9), candidate("bad", 0.1)))
        assert judgement.value is not None
        assert judgement.value > 0.5


class TestByValue:
    @given(st.floats(-900, 900), st.floats(-900, 900))
    def test_it_is_the_logistic_of_the_difference(self, one: float, other: float) -> None:
        (judgement,) = compared(built("by_value", temperature=2.0), Pair(candidate("x", one), candidate("y", other)))
        assert judgement.value == pytest.approx(1 / (1 + math.exp(min(700.0, (other - one) / 2))))

    def test_without_a_value_there_is_no_comparison_and_it_costs_nothing(self) -> None:
        judge, pair = built("by_value"), Pair(candidate("x"), candidate("y", 0.5))
        assert compared(judge, pair)[0].failure is not None
        assert judge.bound(pair) == NOTHING


class TestAbPrompt:
    def test_both_orders_are_asked_and_averaged(self) -> None:
        backend = Labeller(lambda prompt: {"good": 0.8, "bad": 0.4}[shown_first(prompt)])
        (judgement,) = compared(built("ab_prompt", backend), Pair(candidate("good"), candidate("bad")))
        assert judgement.value == pytest.approx(0.7)  # (0.8 + 1 - 0.4) / 2
        assert [shown_first(request.messages[0].text) for request in backend.requests] == ["good", "bad"]
        assert {(r.max_tokens, r.temperature, r.seed, r.logprobs) for r in backend.requests} == {(1, 0.0, 0, 8)}

    def test_who_always_prefers_the_first_place_says_nothing(self) -> None:
        (judgement,) = compared(built("ab_prompt", Labeller(lambda prompt: 0.9)), Pair(CANDIDATES[0], CANDIDATES[1]))
        assert judgement.value == 0.5

    @pytest.mark.parametrize(
        ("chance", "swapped", "agreement"),
        [(0.8, 0.4, 0.7), (0.8, 0.7, 0.5), (0.2, 0.3, 0.5), (0.6, 0.5, 0.55), (0.8, None, 0.8)],
    )
    def test_what_two_orders_agree_on(self, chance: float, swapped: float | None, agreement: float) -> None:
        assert combine_orders(chance, swapped) == pytest.approx(agreement)

    def test_one_order_is_one_call(self) -> None:
        backend = Labeller(lambda prompt: 0.9)
        judge = built("ab_prompt", backend, swap=False, style="completion")
        assert compared(judge, PAIRS[1])[0].value == pytest.approx(0.9)
        assert len(backend.requests) == 1
        assert backend.requests[0].prompt is not None
        assert judge.bound(PAIRS[1]).calls == 1
        assert built("ab_prompt", backend).bound(PAIRS[1]).calls == 2

    def test_a_model_that_fails_or_does_not_answer_is_a_failure(self) -> None:
        def broken(prompt: str) -> float:
            if shown_first(prompt) == "bad":
                raise BackendError("gone")
            return 0.9

        judge = built("ab_prompt", Labeller(broken))
        lost, kept = compared(
            judge, Pair(candidate("good"), candidate("bad")), Pair(candidate("fair"), candidate("good"))
        )
        assert (lost.value, lost.failure.boundary, lost.failure.message) == (None, "reward", "gone")
        assert kept.value is not None
        silent = built("ab_prompt", ScriptedBackend(lambda request, seed: "well, let me think"))
        assert compared(silent, PAIRS[1])[0].failure is not None

    def test_hostile_answers_stay_in_their_place(self) -> None:
        backend = Labeller(lambda prompt: 0.9)
        compared(built("ab_prompt", backend), Pair(candidate("$second $problem"), candidate("y")))
        assert "$second $problem" in backend.requests[0].messages[0].text
