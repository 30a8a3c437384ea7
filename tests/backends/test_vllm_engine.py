"""The backend ``vllm_engine`` over an engine that gives what vLLM's gave: draws, their ids, errors, greedy copies."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from branchwise.orchestrator.backends import vllm_engine
from branchwise.orchestrator.backends.vllm_engine import Options, build
from branchwise.orchestrator.core.errors import BackendError, ConfigError, ContextOverflow, Suspended, Unreachable
from branchwise.orchestrator.core.message import assistant, user
from branchwise.orchestrator.core.request import Progress, Request, TokenLogprob
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.session import Settings, as_task, open_session
from branchwise.orchestrator.workflow.load import read_workflow
from tests.server import until
from tests.vllm_like import VOCABULARY, ids_of, text_of

STEP: dict[str, Any] = {"stop": ("\n",), "keep_stop": True}


def entry(token: int) -> dict[int, Any]:
    return {token: SimpleNamespace(logprob=-0.5, rank=1, decoded_token=VOCABULARY[token])}


class Engine:
    """As AsyncLLM: ``ids`` are drawn, cut at a newline."""

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ids_of("1+2=\n")
        self.asked: list[tuple[Any, Any]] = []
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.reason = "stop"
        self.stopped = False

    async def generate(self, prompt: Any, sampling: Request, name: str) -> AsyncIterator[Any]:
        self.asked.append((prompt, sampling))
        if self.error is not None:
            raise self.error
        await self.open.wait()
        prompt_ids = ids_of(prompt) if isinstance(prompt, str) else tuple(prompt["prompt_token_ids"])
        text = text_of(self.ids).partition("\n")[0] + "\n"
        outputs = [
            SimpleNamespace(
                index=k, text=text, token_ids=list(self.ids), finish_reason=self.reason, stop_reason="\n",
                logprobs=[entry(token) for token in self.ids],
            )
            for k in range(sampling.n)
        ]  # fmt: skip
        told = [None, *(entry(token) for token in prompt_ids[1:])]
        yield SimpleNamespace(
            finished=True, outputs=outputs[::-1], prompt_token_ids=list(prompt_ids), prompt_logprobs=told,
            num_cached_tokens=1,
        )  # fmt: skip

    def get_tokenizer(self) -> Any:
        def render(messages: list[dict[str, str]], **how: bool) -> list[int]:
            self.rendered = how
            return list(ids_of("".join(message["content"] for message in messages)))

        return SimpleNamespace(decode=lambda ids: text_of(tuple(ids)), apply_chat_template=render)

    def shutdown(self) -> None:
        self.stopped = True


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(vllm_engine, "_loaded", lambda options: made)
    monkeypatch.setattr(vllm_engine, "_sampling", lambda request: request)
    return made


async def test_steps_come_with_their_ids_and_shares_of_the_usage(engine: Engine) -> None:
    backend, progress = build(Options(model="m")), Progress()
    first, second = await backend.generate(Request(prompt="1+2", n=2, logprobs=0, **STEP), progress)
    assert (first.text, first.finish, first.stop_string) == ("1+2=\n", "stop", "\n")
    assert (first.token_ids, first.prompt_ids) == (ids_of("1+2=\n"), ids_of("1+2"))
    assert (first.usage, second.usage) == (Usage(3, 5, 1, calls=1), Usage(0, 5))
    assert progress.usage == Usage(3, 10, 1, calls=1)
    assert first.logprobs[0] == TokenLogprob("1", -0.5)
    (again,) = await backend.generate(Request(token_ids=(*first.prompt_ids, *first.token_ids), **STEP))
    assert again.prompt_ids == ()
    assert engine.asked[1][0] == {"prompt_token_ids": list(ids_of("1+21+2=\n"))}
    await backend.aclose()
    assert engine.stopped


async def test_ids_that_are_not_the_text_are_thrown_away(engine: Engine) -> None:
    engine.ids = (*ids_of("1"), 8)  # "1" "=\n1"
    backend = build(Options(model="m"))
    (draw,) = await backend.generate(Request(prompt="1", **STEP))
    assert (draw.text, draw.token_ids, draw.prompt_ids) == ("1=\n", (), ())
    await backend.aclose()


async def test_a_chat_goes_on_from_the_assistants_words(engine: Engine) -> None:
    backend = build(Options(model="m"))
    await backend.generate(Request(messages=(user("1"), assistant("2"))))
    assert engine.rendered == {"add_generation_prompt": False, "continue_final_message": True, "return_dict": False}
    assert engine.asked[0][0] == {"prompt_token_ids": list(ids_of("12"))}
    await backend.aclose()


async def test_greedy_draws_are_one_and_prompts_are_scored_without_an_answer(engine: Engine) -> None:
    backend = build(Options(model="m"))
    draws = await backend.generate(Request(prompt="1", n=3, temperature=0.0))
    assert [draw.usage for draw in draws] == [Usage(1, 5, 1, calls=1), Usage(), Usage()]
    (told,) = await backend.generate(Request(prompt="1+2", prompt_logprobs=True, max_tokens=0))
    assert (told.text, told.usage.completion_tokens) == ("", 0)
    assert told.prompt_logprobs == (TokenLogprob("+", -0.5), TokenLogprob("2", -0.5))
    await backend.aclose()


async def test_what_the_engine_refuses_or_breaks_off_is_an_error(engine: Engine) -> None:
    backend = build(Options(model="m"))
    engine.error = ValueError("The decoder prompt (length 800) is longer than the maximum model length of 256.")
    with pytest.raises(ContextOverflow):
        await backend.generate(Request(prompt="1"))
    engine.error = of_vllm("VLLMValidationError")
    with pytest.raises(BackendError, match="encountered an issue") as caught:
        await backend.generate(Request(prompt="1"), progress := Progress())
    assert type(caught.value) is BackendError
    assert not caught.value.retryable
    assert progress.usage == Usage(calls=1)
    engine.error = of_vllm("EngineDeadError")
    with pytest.raises(Unreachable, match="encountered an issue") as dead:
        await backend.generate(Request(prompt="1"), progress)
    assert not dead.value.retryable
    assert progress.usage == Usage(calls=2, exact=False)
    engine.error = RuntimeError("a bug of ours")
    with pytest.raises(RuntimeError):
        await backend.generate(Request(prompt="1"))
    engine.error, engine.reason = None, "abort"
    with pytest.raises(BackendError, match="'abort'"):
        await backend.generate(Request(prompt="1"))
    with pytest.raises(BackendError, match="'pooling' was asked"):
        await backend.generate(Request(prompt="1", pooling="classify", max_tokens=0))
    await backend.aclose()
    with pytest.raises(Suspended):
        await backend.generate(Request(prompt="1"))


def of_vllm(kind: str) -> Exception:
    found: Exception = type(kind, (Exception,), {"__module__": "vllm.exceptions"})("EngineCore encountered an issue")
    return found


async def solved(engine: Engine, out: Path | None, dies_after: int | None = None) -> list[Result]:
    """The results of a vote on six sums, one after the other; the engine is dead after so many."""
    policy = {"kind": "solver", "model": "m", "style": "completion", "prompt": "$problem"}
    node = {"kind": "search", "policy": policy, "algorithm": {"kind": "best_of_n", "n": 2}, "select": "majority"}
    plan = {"models": {"m": {"kind": "vllm_engine", "model": "m"}}, "nodes": {"answer": node}}
    problems, results = as_task([f"{a}+{b}" for a in "123" for b in "12"]), list[Result]()
    async with open_session(read_workflow(plan, {}, Path()), problems, Settings(out=out, concurrency=1)) as session:
        async for result in session.results():
            results.append(result)
            if len(results) == dies_after:
                engine.error = of_vllm("EngineDeadError")
    return results


async def test_a_run_on_record_stops_where_its_engine_has_died_and_goes_on_with_another(
    engine: Engine, tmp_path: Path
) -> None:
    with pytest.raises(Suspended, match="the engine of 'm' has died: EngineCore encountered an issue"):
        await solved(engine, tmp_path, dies_after=2)
    died_at, engine.error = len(engine.asked), None
    results = await solved(engine, tmp_path)
    assert len(results) == 6
    assert not any(result.failures for result in results)
    assert died_at <= 3 * 2
    assert len(engine.asked) - died_at == 4 * 2


async def test_without_a_record_to_go_on_with_candidates_are_lost(engine: Engine) -> None:
    results = await solved(engine, None, dies_after=2)
    assert [len(result.failures) for result in results] == [0, 0, 2, 2, 2, 2]
    assert {failure.boundary for failure in results[-1].failures} == {"backend"}


@pytest.mark.parametrize("form", ["prompt", "messages", "token_ids"])
async def test_a_cancelled_call_is_charged_its_prompt_and_is_no_exact_account(engine: Engine, form: str) -> None:
    prompts: dict[str, Any] = {"prompt": "1+2", "messages": (user("1+2"),), "token_ids": ids_of("1+2")}
    backend, progress = build(Options(model="m")), Progress(Usage(calls=1))
    engine.open.clear()
    call = asyncio.create_task(backend.generate(Request(**{form: prompts[form]}), progress))
    await until(lambda: bool(engine.asked))
    call.cancel()
    await asyncio.wait([call])
    assert progress.usage == Usage(4 if form == "prompt" else 3, calls=2, exact=False)
    await backend.aclose()


class Loading:
    """Loads the engine when it is let, and counts how often."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.begun, self.open = engine, 0, threading.Event()
        self.error: Exception | None = None

    def __call__(self, options: Options) -> Engine:
        self.begun += 1
        assert self.open.wait(60)
        if self.error is not None:
            raise self.error
        return self.engine


async def begun(backend: vllm_engine.VLLMEngine, loading: Loading) -> asyncio.Task[Any]:
    """A call that waits for its engine."""
    call = asyncio.create_task(backend.generate(Request(prompt="1")))
    await until(lambda: loading.begun > 0)
    return call


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Loading:
    made = Loading(engine)
    monkeypatch.setattr(vllm_engine, "_loaded", made)
    return made


async def test_a_load_goes_on_where_its_call_is_cancelled(engine: Engine, loading: Loading) -> None:
    backend = build(Options(model="m"))
    call = await begun(backend, loading)
    call.cancel()
    await asyncio.wait([call])
    second = await begun(backend, loading)
    loading.open.set()
    assert (await second)[0].text == "1+2=\n"
    assert loading.begun == 1
    await backend.aclose()
    assert engine.stopped


@pytest.mark.parametrize("cancelled", [True, False])
async def test_an_engine_that_is_loaded_when_it_is_closed_is_stopped(
    engine: Engine, loading: Loading, cancelled: bool
) -> None:
    backend = build(Options(model="m"))
    call = await begun(backend, loading)
    if cancelled:
        call.cancel()
        await asyncio.wait([call])
    closing = asyncio.create_task(backend.aclose())
    await asyncio.sleep(0.01)
    assert not closing.done()
    loading.open.set()
    await closing
    assert engine.stopped
    if not cancelled:
        with pytest.raises(Suspended):
            await call
    assert engine.asked == []


async def test_an_engine_that_could_not_be_loaded_can_be_closed(loading: Loading) -> None:
    backend = build(Options(model="m"))
    loading.error = ConfigError("no such model")
    loading.open.set()
    with pytest.raises(ConfigError):
        await backend.generate(Request(prompt="1"))
    await backend.aclose()


async def test_the_engine_is_loaded_once(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    loads: list[Options] = []
    monkeypatch.setattr(vllm_engine, "_loaded", lambda options: loads.append(options) or engine)
    backend = build(Options(model="m"))
    await asyncio.gather(*(backend.generate(Request(prompt="1", seed=seed)) for seed in range(3)))
    assert len(loads) == 1
    await backend.aclose()


async def test_without_vllm_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setitem(sys.modules, "vllm.engine", None)
    monkeypatch.setitem(sys.modules, "vllm.engine.arg_utils", None)
    with pytest.raises(ConfigError, match="needs vLLM in this environment"):
        await build(Options(model="m")).generate(Request(prompt="1"))


def test_identity_says_what_changes_the_draws() -> None:
    plain = Options(model="m").identity
    assert len({plain, Options(model="m", logprobs_mode="processed").identity,
                Options(model="m", engine={"dtype": "float32"}).identity}) == 3  # fmt: skip
