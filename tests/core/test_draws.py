"""Keys of draws: old ones stay as they were, new fields count where they are set, transport never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from branchwise.orchestrator.backends.scripted import ScriptedBackend
from branchwise.orchestrator.backends.stack import stacked
from branchwise.orchestrator.core.draws import draw_key
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Tool
from branchwise.orchestrator.core.request import (
    REFUSED_IF_UNKNOWN,
    Capabilities,
    Identity,
    Request,
    TokenLogprob,
    refuse_unknown,
)
from branchwise.orchestrator.journal.store import Journal

WHO = Identity("m", weights="w", tokenizer="t", template="c", bos=True)
PLAIN = Request(prompt="why?", seed=7, stop=("\n",), keep_stop=True, logprobs=2)
SET: dict[str, dict[str, Any]] = {
    "pooling": {"pooling": "classify", "max_tokens": 0},
    "prompt_logprobs": {"prompt_logprobs": True},
    "labels": {"labels": (" Yes", " No")},
    "choices": {"choices": ("a", "b")},
    "regex": {"regex": "[0-9]+"},
    "tools": {"tools": (Tool("add"),)},
}


def test_a_request_without_the_later_fields_has_the_key_that_it_had_in_older_journals() -> None:
    assert draw_key(WHO, PLAIN, 2).hex() == "cad5d60c08a1e98c169e17b14722c749"


@pytest.mark.parametrize("asked", SET.values(), ids=SET)
def test_a_later_field_that_is_set_makes_another_draw(asked: dict[str, Any]) -> None:
    assert draw_key(WHO, replace(PLAIN, **asked)) != draw_key(WHO, PLAIN)


def test_poolings_and_documents_differ_and_priorities_do_not() -> None:
    pooled = [replace(PLAIN, pooling=kind, max_tokens=0) for kind in ("classify", "token_classify")]
    assert draw_key(WHO, pooled[0]) != draw_key(WHO, pooled[1])
    score = Request(prompt="q", pooling="score", document="a", max_tokens=0)
    assert draw_key(WHO, score) != draw_key(WHO, replace(score, document="b"))
    assert draw_key(WHO, PLAIN) == draw_key(WHO, replace(PLAIN, priority=3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": "p", "max_tokens": 0},
        {"prompt": "p", "pooling": "classify"},
        {"prompt": "p", "pooling": "classify", "max_tokens": 0, "n": 2},
        {"prompt": "p", "pooling": "score", "max_tokens": 0},
        {"prompt": "p", "document": "d"},
        {"token_ids": (1,), "pooling": "score", "document": "d", "max_tokens": 0},
        {"prompt": "p", "choices": ("a",), "regex": "a"},
    ],
)
def test_requests_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a request|a pooling model|at least 1|wants a document"):
        Request(**wrong)


def test_every_field_that_can_be_refused_is_a_capability_and_tried_here() -> None:
    assert set(SET) == set(REFUSED_IF_UNKNOWN)
    for name, asked in SET.items():
        request = replace(PLAIN, **asked)
        with pytest.raises(BackendError, match=f"'{name}'"):
            refuse_unknown(request, Capabilities())
        refuse_unknown(request, replace(Capabilities(), **{name: True}))


async def test_what_a_backend_does_not_know_is_neither_sent_nor_recorded() -> None:
    journal, raw = Journal(None), ScriptedBackend(lambda request, seed: "text")
    request = Request(prompt="p", pooling="classify", max_tokens=0)
    with pytest.raises(BackendError, match="'pooling' was asked"):
        await stacked(raw, journal).generate(request)
    assert raw.calls == 0
    assert journal.find(draw_key(raw.identity, request)) is None
    journal.close()


async def test_values_and_prompt_logprobs_are_scripted_stored_and_read_back() -> None:
    raw = ScriptedBackend(
        lambda request, seed: "text",
        values=lambda request: ((-1.5, 2.0), (0.25, 0.5)),
        prompt_logprobs=lambda request: (TokenLogprob("b", -0.5),),
    )
    journal = Journal(None)
    model = stacked(raw, journal)
    pooled = Request(prompt="p", pooling="token_classify", max_tokens=0)
    told = Request(prompt="a b", prompt_logprobs=True, max_tokens=0)
    first = [await model.generate(pooled), await model.generate(told)]
    assert (first[0][0].text, first[0][0].values) == ("", ((-1.5, 2.0), (0.25, 0.5)))
    assert (first[1][0].text, first[1][0].prompt_logprobs) == ("", (TokenLogprob("b", -0.5),))
    journal.flush()
    assert [await model.generate(pooled), await model.generate(told)] == first
    assert raw.calls == 2
    journal.close()
