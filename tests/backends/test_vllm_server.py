"""The backend ``vllm_server`` against a server that answers as vLLM does: what is sent, comes back and breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from branchwise.orchestrator.backends.openai_tools import tools_wire
from branchwise.orchestrator.backends.stack import stacked
from branchwise.orchestrator.backends.vllm_server import Options, VLLMServer, build
from branchwise.orchestrator.core.errors import BackendError, ConfigError
from branchwise.orchestrator.core.labels import label_chance
from branchwise.orchestrator.core.message import Tool, assistant, user
from branchwise.orchestrator.core.request import Request, TokenLogprob
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.tracing import trace_id
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.journal.store import Journal
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.validate import validate
from tests.server import until
from tests.vllm_like import EOS, VLLMLike, ids_of

STEP: dict[str, Any] = {"stop": ("\n",), "keep_stop": True, "seed": 3}
NUMBERS = Request(prompt="1", pooling="classify", max_tokens=0)


@pytest.fixture
async def vllm() -> AsyncIterator[VLLMLike]:
    async with VLLMLike() as running:
        yield running


def backend_for(server: VLLMLike, **options: Any) -> VLLMServer:
    return build(Options(url=server.url, model="m", **options))


async def drawn(server: VLLMLike, request: Request, **options: Any) -> Any:
    backend = backend_for(server, **options)
    try:
        return await backend.generate(request)
    finally:
        await backend.aclose()


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("form", ["prompt", "messages", "token_ids"])
async def test_steps_come_with_their_token_ids(vllm: VLLMLike, form: str, streaming: bool) -> None:
    prompts = {"prompt": "1+2", "messages": (user("1+2"),), "token_ids": ids_of("1+2")}
    first, second = await drawn(vllm, Request(**{form: prompts[form]}, n=2, **STEP), streaming=streaming)
    assert (first.text, first.finish, first.stop_string) == ("1+2=\n", "stop", "\n")
    assert first.token_ids == second.token_ids == ids_of("1+2=\n")
    assert first.prompt_ids == (() if form == "token_ids" else ids_of("1+2"))
    assert (first.usage, second.usage) == (Usage(3, 5, 3, calls=1), Usage(0, 5))


async def test_a_whole_answer_has_no_ids_and_streams_in_large_pieces(vllm: VLLMLike) -> None:
    (draw,) = await drawn(vllm, Request(prompt="1", seed=1))
    body = vllm.bodies("/v1/completions")[0]
    assert (draw.text, draw.finish, draw.token_ids, draw.prompt_ids) == ("1+2=\n", "end", (), ())
    assert "return_token_ids" not in body
    assert body["stream_interval"] == 16


@pytest.mark.parametrize(
    ("ids", "text", "agree"),
    [
        ("1+2=\n", "1+2=\n", True),
        ((*ids_of("1+2"), 8), "1+2=\n", False),  # the last token is "=\n1"
        ((*ids_of("1"), 1, 7), "1\n\n", False),  # "\n" "\n\n" cut to "\n\n"
        ((7,), "\n\n", True),
        ((*ids_of("1"), 1, 1), "1\n\n", True),
    ],
)
async def test_ids_that_are_not_the_text_are_thrown_away(vllm: VLLMLike, ids: Any, text: str, agree: bool) -> None:
    tokens = ids_of(ids) if isinstance(ids, str) else ids
    vllm.script = lambda body, k: (*tokens, EOS)
    stop = "\n\n" if text.endswith("\n\n") else "\n"
    (draw,) = await drawn(vllm, Request(prompt="1", stop=(stop,), keep_stop=True))
    assert draw.text == text
    assert draw.token_ids == (tokens if agree else ())
    assert draw.prompt_ids == (ids_of("1") if agree else ())


async def test_a_tokens_text_is_asked_once(vllm: VLLMLike) -> None:
    backend = backend_for(vllm)
    for seed in range(3):
        await backend.generate(Request(prompt="1", stop=("\n",), keep_stop=True, seed=seed))
    await backend.aclose()
    assert [body["tokens"] for body in vllm.bodies("/detokenize")] == [[1], [6]]


async def test_draws_that_end_on_the_same_token_at_once_ask_what_it_is_once(vllm: VLLMLike) -> None:
    vllm.gate, backend = asyncio.Event(), backend_for(vllm)
    calls = [asyncio.create_task(backend.generate(Request(prompt="1", **STEP))) for _ in range(8)]
    await until(lambda: len(vllm.bodies("/v1/completions")) == 8)
    vllm.gate.set()
    draws = await asyncio.gather(*calls)
    await backend.aclose()
    assert all(draw.token_ids for (draw,) in draws)
    asked = [body["tokens"] for body in vllm.bodies("/detokenize")]
    assert len(asked) == len({*map(tuple, asked)})


async def test_a_server_that_can_not_tell_is_asked_by_text(vllm: VLLMLike) -> None:
    vllm.detokenizes = False
    (draw,) = await drawn(vllm, Request(prompt="1", **STEP))
    assert (draw.text, draw.token_ids) == ("1+2=\n", ())


async def test_a_trailing_assistant_message_is_continued(vllm: VLLMLike) -> None:
    await drawn(vllm, Request(messages=(user("1+2"), assistant("1")), **STEP))
    body = vllm.bodies("/v1/chat/completions")[0]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert body["include_stop_str_in_output"] is True


async def test_the_arguments_of_tools_are_bound_to_their_parameters(vllm: VLLMLike) -> None:
    tools = (Tool("add", "Adds.", '{"type": "object"}'),)
    for _ in range(2):
        await drawn(vllm, Request(messages=(user("1+2"),), tools=tools, seed=1))
    function = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}, "strict": True}
    asked = [body["tools"] for body in vllm.bodies("/v1/chat/completions")]
    assert asked == [[{"type": "function", "function": function}]] * 2
    assert "strict" not in tools_wire(tools)[0]["function"]


async def test_greedy_draws_are_one_that_stands_for_all(vllm: VLLMLike) -> None:
    draws = await drawn(vllm, Request(prompt="1", n=3, temperature=0.0, seed=1))
    assert len(vllm.bodies("/v1/completions")) == 1
    assert "n" not in vllm.bodies("/v1/completions")[0]
    assert [draw.text for draw in draws] == ["1+2=\n"] * 3
    assert [draw.usage for draw in draws] == [Usage(1, 6, 1, calls=1), Usage(), Usage()]


@pytest.mark.parametrize("form", ["prompt", "messages"])
async def test_log_probabilities_of_the_prompt_come_without_an_answer(vllm: VLLMLike, form: str) -> None:
    asked = {"prompt": "1+2", "messages": (user("1+2"),)}[form]
    (draw,) = await drawn(vllm, Request(**{form: asked}, prompt_logprobs=True, max_tokens=0))  # type: ignore[arg-type]
    assert draw.prompt_logprobs == (TokenLogprob("+", -2.5), TokenLogprob("2", -1.5))
    assert (draw.text, draw.finish, draw.usage.completion_tokens) == ("", "length", 0)
    (body,) = vllm.bodies("/v1/completions") or vllm.bodies("/v1/chat/completions")
    assert (body["max_tokens"], body["prompt_logprobs"], "stream" in body) == (1, 0, False)


@pytest.mark.parametrize(
    ("asked", "sent", "text"),
    [
        ({"json_schema": '{"type": "integer"}'}, {"json": {"type": "integer"}}, "2"),
        ({"choices": ("a", "b")}, {"choice": ["a", "b"]}, "a"),
        ({"regex": "[0-9]+"}, {"regex": "[0-9]+"}, "12"),
    ],
)
async def test_structure_is_asked_for_and_looked_at(
    vllm: VLLMLike, asked: dict[str, Any], sent: dict[str, Any], text: str
) -> None:
    (draw,) = await drawn(vllm, Request(prompt="1", **asked))
    assert (draw.text, draw.finish) == (text, "end")
    assert vllm.bodies("/v1/completions")[0]["structured_outputs"] == sent
    assert "response_format" not in vllm.bodies("/v1/completions")[0]
    vllm.ignores_structure = True
    with pytest.raises(BackendError, match="seems to ignore it: 1\\+2="):
        await drawn(vllm, Request(prompt="1", **asked))


@pytest.mark.parametrize(
    ("pooling", "path", "values", "rows"),
    [
        ("classify", "/classify", [-1.25], ((-1.25,),)),
        ("classify", "/pooling", [-1.25], ((-1.25,),)),
        ("token_classify", "/pooling", [[0.5, -2.0], [1.5, 3.0]], ((0.5, -2.0), (1.5, 3.0))),
        ("score", "/score", [0.75], ((0.75,),)),
    ],
)
async def test_pooling_models_answer_raw_numbers(
    vllm: VLLMLike, pooling: Any, path: str, values: Any, rows: Any
) -> None:
    vllm.values = values
    document = "2" if pooling == "score" else None
    request = Request(prompt="1", pooling=pooling, document=document, max_tokens=0)
    outcome: Any = "pooling" if path == "/pooling" else "classify"
    (draw,) = await drawn(vllm, request, runner="pooling", outcome_endpoint=outcome)
    assert (draw.text, draw.values, draw.usage) == ("", rows, Usage(5, calls=1))
    (body,) = vllm.bodies(path)
    assert body["use_activation"] is False
    assert body.get("task") == (pooling if path == "/pooling" else None)


@pytest.mark.parametrize(("values", "said"), [([], "nothing to score"), ([[float("nan")]], "no numbers")])
async def test_scores_that_are_none_are_errors(vllm: VLLMLike, values: Any, said: str) -> None:
    vllm.values = values
    with pytest.raises(BackendError, match=said):
        await drawn(vllm, Request(prompt="1", pooling="token_classify", max_tokens=0), runner="pooling")


def test_a_model_that_scores_can_not_write() -> None:
    pooling = build(Options(url="http://h", model="m", runner="pooling")).capabilities
    writing = build(Options(url="http://h", model="m")).capabilities
    assert (pooling.pooling, pooling.writes, writing.pooling, writing.writes) == (True, False, False, True)
    assert (writing.token_ids, writing.priority) == (True, False)
    model = {"kind": "vllm_server", "url": "http://h", "model": "m", "runner": "pooling"}
    node = {"kind": "search", "algorithm": {"kind": "best_of_n", "n": 2}, "policy": {"kind": "solver", "model": "m"}}
    with pytest.raises(ConfigError, match="lacks 'writes'"):
        validate(read_workflow({"version": 1, "models": {"m": model}, "nodes": {"a": node}}, {}, Path()))


async def test_a_server_that_scores_is_not_asked_to_write_nor_the_other_way_round(vllm: VLLMLike) -> None:
    with pytest.raises(BackendError, match="scores and does not write"):
        await drawn(vllm, Request(prompt="1"), runner="pooling")
    with pytest.raises(BackendError, match="'pooling' was asked"):
        await drawn(vllm, Request(prompt="1", pooling="classify", max_tokens=0))
    assert vllm.asked == {}


async def test_an_adapter_is_loaded_once_answers_by_its_name_and_is_taken_away(vllm: VLLMLike) -> None:
    backend = backend_for(vllm, adapter={"name": "solver", "path": "/adapters/solver"})
    await asyncio.gather(*(backend.generate(Request(prompt="1", seed=seed)) for seed in range(3)))
    assert vllm.adapters == {"solver"}
    assert vllm.bodies("/v1/load_lora_adapter") == [{"lora_name": "solver", "lora_path": "/adapters/solver"}]
    assert {body["model"] for body in vllm.bodies("/v1/completions")} == {"solver"}
    await backend.aclose()
    assert vllm.adapters == set()


async def test_an_adapter_is_loaded_again_where_a_restart_that_nobody_saw_forgot_it(vllm: VLLMLike) -> None:
    backend = backend_for(vllm, adapter={"name": "solver", "path": "/adapters/solver"})
    await backend.generate(Request(prompt="1"))
    vllm.adapters.clear()
    with pytest.raises(BackendError) as refused:
        await backend.generate(Request(prompt="1"))
    assert refused.value.retryable
    await backend.generate(Request(prompt="1"))
    assert vllm.adapters == {"solver"}
    await backend.aclose()


async def test_a_server_that_loads_no_adapters_is_told_of() -> None:
    class Fixed(VLLMLike):
        """A server without --enable-lora."""

        def _adapt(self, path: str, body: dict[str, Any]) -> web.Response:
            return web.json_response({"detail": "Not Found"}, status=404)

    async with Fixed() as server:
        with pytest.raises(BackendError, match="a server with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
            await drawn(server, Request(prompt="1"), adapter={"name": "solver", "path": "/adapters/solver"})


async def test_an_adapter_that_is_there_already_stays(vllm: VLLMLike) -> None:
    vllm.adapters.add("solver")
    await drawn(vllm, Request(prompt="1"), adapter={"name": "solver", "path": "/adapters/solver"})
    assert vllm.adapters == {"solver"}


async def test_priority_and_trace_context_are_sent_where_they_are_wanted(vllm: VLLMLike) -> None:
    with scope(problem_id="p1"):
        await drawn(vllm, Request(prompt="1", priority=2))
        assert "traceparent" not in vllm.headers
        await drawn(vllm, Request(prompt="1", priority=2), priority=-1, traceparent=True)
        first = vllm.headers["traceparent"]
        await drawn(vllm, Request(prompt="1"), traceparent=True)
        second = vllm.headers["traceparent"]
        await drawn(vllm, NUMBERS, runner="pooling", priority=3)
        await drawn(vllm, Request(prompt="1+2", labels=("+", "=")), priority=4)
    assert ["priority" in body and body["priority"] for body in vllm.bodies("/v1/completions")] == [False, 1, False]
    assert [body["priority"] for path in ("/classify", "/generative_scoring") for body in vllm.bodies(path)] == [3, 4]
    version, trace, span, flags = first.split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
    assert second.split("-")[1] == trace == trace_id("", "p1")
    assert second.split("-")[2] != span


async def test_a_trace_is_one_of_a_problem_and_a_run(vllm: VLLMLike) -> None:
    traces = []
    for run, problem_id in (("r", "p"), ("r", "p"), ("r", "q"), ("s", "p")):
        with scope(run=run, problem_id=problem_id):
            await drawn(vllm, Request(prompt="1"), traceparent=True)
        traces.append(vllm.headers["traceparent"].split("-")[1])
    assert traces[0] == traces[1]
    assert len(set(traces)) == 3


async def test_a_users_own_field_takes_one_of_ours_away_from_any_body(vllm: VLLMLike) -> None:
    await drawn(vllm, NUMBERS, runner="pooling", extra={"use_activation": None, "truncate_prompt_tokens": -1})
    assert vllm.bodies("/classify") == [{"model": "m", "input": "1", "truncate_prompt_tokens": -1}]


async def test_cancelling_a_call_reaches_the_server(vllm: VLLMLike) -> None:
    vllm.gate = asyncio.Event()
    writing, scoring = backend_for(vllm), backend_for(vllm, runner="pooling")
    calls = [
        asyncio.create_task(backend.generate(request))
        for backend, request in (
            (writing, Request(prompt="1")),
            (scoring, Request(prompt="1", pooling="classify", max_tokens=0)),
        )
    ]
    await until(lambda: len(vllm.asked) == 2)
    for call in calls:
        call.cancel()
    await until(lambda: vllm.cut_off == 2)
    await writing.aclose()
    await scoring.aclose()


async def test_draws_with_ids_and_values_are_replayed_as_they_were(vllm: VLLMLike) -> None:
    journal, request = Journal(None), Request(prompt="1+2", n=2, **STEP)
    backend = stacked(backend_for(vllm), journal)
    drawn_now = await backend.generate(request)
    journal.flush()
    assert await backend.generate(request) == drawn_now
    assert drawn_now[0].token_ids
    assert len(vllm.bodies("/v1/completions")) == 1
    await backend.aclose()
    journal.close()


def test_identity_says_what_changes_the_draws_and_not_where_they_are_made() -> None:
    def who(**options: Any) -> object:
        return Options(model="m", **{"url": "http://a", **options}).identity

    assert who() == who(url="http://b/v1") == who(url=None, urls=["http://b", "http://c"]) == who(priority=1)
    changed = [who(logprobs_mode="processed"), who(adapter={"name": "x"}), who(extra={"top_k": 5})]
    assert len({who(), *changed}) == 4


@pytest.mark.parametrize(
    "wrong", [{}, {"url": "http://a", "urls": ["http://b"]}, {"urls": ["http://a", "http://a/v1"]}, {"url": "a:1"}]
)
def test_addresses_that_are_wrong_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="url"):
        Options(model="m", **wrong)


@pytest.mark.parametrize("form", ["prompt", "messages", "token_ids"])
async def test_the_chances_of_labels(vllm: VLLMLike, form: str) -> None:
    prompts = {"prompt": "1+2", "messages": (user("1+2"),), "token_ids": ids_of("1+2")}
    vllm.values = [0.8]
    request = Request(**{form: prompts[form]}, labels=("a", "b"), max_tokens=1)
    (draw,) = await drawn(vllm, request)
    asked = {"model": "m", "query": list(ids_of("1+")), "items": [[ids_of("2")[0]]]}
    assert vllm.bodies("/generative_scoring") == [asked | {"label_token_ids": [*ids_of("a"), *ids_of("b")]}]
    assert (draw.text, draw.usage) == ("a", Usage(3, 1, calls=1))
    assert label_chance(draw, "a", "b") == pytest.approx(0.8)


@pytest.mark.parametrize("chance", [0.0, 1.0])
async def test_a_label_that_is_certain(vllm: VLLMLike, chance: float) -> None:
    vllm.values = [chance]
    (draw,) = await drawn(vllm, Request(prompt="1+2", labels=("a", "b"), max_tokens=1))
    assert label_chance(draw, "a", "b") == pytest.approx(chance)


@pytest.mark.parametrize(("labels", "value"), [(("ab", "b"), 0.5), (("a", "b", "1"), 0.5), (("a", "b"), 2.0)])
async def test_labels_that_can_not_be_told(vllm: VLLMLike, labels: tuple[str, ...], value: float) -> None:
    vllm.values = [value]
    with pytest.raises(BackendError, match=r"'ab' is 2 tokens|two labels|which is none"):
        await drawn(vllm, Request(prompt="1+2", labels=labels, max_tokens=1))
