"""Retries: what can't be read is drawn anew by every kind that reads a text, and found on resume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.prompting import first_read
from branchwise.orchestrator.core.request import TokenLogprob
from branchwise.orchestrator.core.trajectory import Step, Trajectory
from tests.rewards.asking import built, judgement, options_of
from tests.speaking import Speaking

PAIRS: dict[str, Any] = {"kind": "pair_judge", "model": "m", "swap": False, "temperature": 0.7}
ANSWER = Trajectory(replace(problem("1+1"), metadata={"draft": "3"}), (Step("2"),))
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "judge": ({"kind": "judge", "model": "m", "temperature": 0.7}, "Score: 7"),
    "judge in JSON": ({"kind": "judge", "model": "m", "temperature": 0.7, "form": "json"}, '{"score": 7}'),
    "grm": ({"kind": "grm", "model": "m", "votes": 1}, "\\boxed{7}"),
    "listwise": ({"kind": "listwise", "model": "m", "temperature": 0.7}, '{"scores": {"model-1": 4}}'),
    "think_prm": ({"kind": "think_prm", "model": "m", "temperature": 0.7}, "\\boxed{correct}"),
    "pair_judge": ({"kind": "against_reference", "given": "draft", "judge": PAIRS}, "[[A]]"),
}
every_kind = pytest.mark.parametrize(("written", "reply"), KINDS.values(), ids=KINDS.keys())


class Late(Speaking):
    """A model whose first ``lost`` texts, and the decisions after them, can't be read."""

    def __init__(self, reply: str, lost: int) -> None:
        super().__init__(lambda prompt, seed: reply if len(self.seeds) > lost else "hm")
        self._logprob = lambda request, seed: (
            () if not request.logprobs else YES if len(self.seeds) > lost else NEITHER
        )

    @property
    def seeds(self) -> list[int | None]:
        """Those of the texts that it was asked for."""
        return [request.seed for request in self.requests if not request.logprobs]


YES, NEITHER = (TokenLogprob("yes", 0.0, top=(("yes", 0.0),)),), (TokenLogprob("hm", 0.0, top=(("hm", 0.0),)),)


def retrying(written: dict[str, Any], retries: int) -> dict[str, Any]:
    if "judge" in written:
        return {**written, "judge": {**written["judge"], "retries": retries}}
    return {**written, "retries": retries}


async def asked(written: dict[str, Any], model: Speaking) -> float | None:
    return (await judgement(built(Parts(lambda name: model, lambda each: None), **written), ANSWER)).value


@every_kind
async def test_what_can_not_be_read_is_drawn_anew_with_other_seeds(written: dict[str, Any], reply: str) -> None:
    model = Late(reply, lost=2)
    assert await asked(retrying(written, 2), model) is not None
    assert len(set(model.seeds)) == len(model.seeds) == 3
    assert len({request.prompt or request.messages for request in model.requests if not request.logprobs}) == 1
    assert await asked(retrying(written, 1), Late(reply, lost=2)) is None


@every_kind
async def test_what_can_be_read_is_drawn_once_and_as_without_retries(written: dict[str, Any], reply: str) -> None:
    plain, ready = Late(reply, lost=0), Late(reply, lost=0)
    assert await asked(written, plain) == await asked(retrying(written, 3), ready)
    assert plain.requests == ready.requests


@every_kind
async def test_a_run_that_is_resumed_asks_for_the_same_draws(written: dict[str, Any], reply: str) -> None:
    first, resumed = Late(reply, lost=2), Late(reply, lost=2)
    await asked(retrying(written, 2), first)
    await asked(retrying(written, 2), resumed)
    assert first.requests == resumed.requests


@every_kind
def test_at_temperature_0_the_same_text_would_come_again(written: dict[str, Any], reply: str) -> None:
    inner = written.get("judge")
    cold = {**written, "judge": {**inner, "temperature": 0}} if inner else {**written, "temperature": 0}
    with pytest.raises(ValidationError, match="the same text comes again"):
        options_of(**retrying(cold, 1))


@pytest.mark.parametrize("kind", ["label_token", "outcome_model"])
def test_what_reads_numbers_has_no_retries(kind: str) -> None:
    with pytest.raises(ValidationError, match="retries"):
        options_of(kind=kind, model="m", retries=1)


async def test_the_last_draw_is_kept_where_none_can_be_read() -> None:
    async def draw(number: int) -> int:
        return number

    assert await first_read(draw, lambda drawn: drawn == 1, 3) == 1
    assert await first_read(draw, lambda drawn: False, 3) == 3
