"""The backend ``vllm_engine`` over an engine that gives what vLLM's gave: draws, their ids, errors, greedy copies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from branchwise.orchestrator.backends import vllm_engine
from branchwise.orchestrator.backends.vllm_engine import Options, build
from branchwise.orchestrator.core.errors import BackendError, ConfigError, ContextOverflow, Suspended
from branchwise.orchestrator.core.message import assistant, user
from branchwise.orchestrator.core.request import Progress, Request, TokenLogprob
from branchwise.orchestrator.core.usage import Usage
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
        self.reason = "stop"
        self.stopped = False

    async def generate(self, prompt: Any, sampling: Request, name: str) -> AsyncIterator[Any]:
        self.asked.append((prompt, sampling))
        if self.error is not None:
            raise self.error
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
    for kind in ("VLLMValidationError", "EngineDeadError"):
        engine.error = type(kind, (Exception,), {"__module__": "vllm.exceptions"})("EngineCore encountered an issue")
        with pytest.raises(BackendError, match="encountered an issue") as caught:
            await backend.generate(Request(prompt="1"))
        assert not caught.value.retryable
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
