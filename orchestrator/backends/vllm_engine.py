"""A model on vLLM within this process: no server, for programs that have the accelerator to themselves.

What is asked and what comes back is as with ``vllm_server``; vLLM has to be installed beside this package, and pins
many of its neighbours, so that a server of its own is the first choice. The engine is loaded at the first call, which
takes a minute; cancelling a call aborts it in the engine. One that has died stays dead in this process: a run on
record is suspended (outage.py), and another process can go on with it. Tried on vLLM 0.32.0.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import Any, Final, Literal

from pydantic import Field, JsonValue

from branchwise.orchestrator.backends.openai_errors import stream_error
from branchwise.orchestrator.backends.openai_options import marked
from branchwise.orchestrator.backends.openai_request import prompt_bound, wire
from branchwise.orchestrator.backends.vllm_options import GENERATES
from branchwise.orchestrator.backends.vllm_output import draws_of
from branchwise.orchestrator.backends.vllm_request import sent
from branchwise.orchestrator.backends.vllm_structured import structure_of
from branchwise.orchestrator.core.errors import BackendError, ConfigError, ContextOverflow, Suspended, Unreachable
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Draw, Identity, Progress, Request, refuse_unknown
from branchwise.orchestrator.core.usage import Usage

CAPABILITIES = replace(GENERATES, labels=False, tools=False, priority=False)
"""Of vLLM's own; labels are told and calls of tools read by its server only."""
DEAD: Final = "EngineDeadError"
"""What vLLM calls the error of an engine that answers nothing any more."""


class Options(ModelOptions):
    """Which model, and how the engine is set up."""

    kind: Literal["vllm_engine"] = "vllm_engine"
    model: str = Field(min_length=1, description="A model's folder, or its name on a hub.")
    logprobs_mode: Literal["raw", "processed"] = Field(
        "raw", description="Log-probabilities before or after temperature and cut-offs."
    )
    engine: dict[str, JsonValue] = Field(
        default_factory=dict, description="Further arguments of vLLM's engine, such as {max_model_len: 4096}."
    )

    @property
    def identity(self) -> Identity:
        """The model's name, and a hash of what else changes the draws, if there is any."""
        settings = {"engine": self.engine} if self.engine else {}
        return marked(self.model, settings | ({} if self.logprobs_mode == "raw" else {"logprobs": "processed"}))


def build(options: Options) -> VLLMEngine:
    """A backend over an engine that is loaded at the first call."""
    return VLLMEngine(options)


class VLLMEngine:
    """A model in vLLM's AsyncLLM. Used within one event loop; close it when done."""

    def __init__(self, options: Options) -> None:
        self.identity = options.identity
        self.capabilities = CAPABILITIES
        self._options = options
        self._loading: asyncio.Task[Any] | None = None
        self._closed = False
        self._numbers = count()

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Prompt tokens from above: UTF-8 bytes and an allowance for the chat template; ids are exact."""
        return prompt_bound(request)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """``request.n`` draws; raises BackendError."""
        refuse_unknown(request, self.capabilities)
        engine = await self._started()
        progress = progress or Progress()
        before = progress.usage
        asked, output = sent(request), None
        try:
            prompt = _prompt(asked, engine)
            progress.usage = before + Usage(_tokens(prompt, asked), calls=1, exact=False)
            name = f"branchwise-{next(self._numbers)}"
            async for piece in engine.generate(prompt, _sampling(asked), name):
                output = piece
        except Exception as error:
            if not _of_vllm(error):
                raise
            refused = self._refusal(error)
            progress.usage = before + Usage(calls=1, exact=not isinstance(refused, Unreachable))
            raise refused from error
        draws = draws_of(asked, output, engine.get_tokenizer().decode, self._options.model)
        progress.usage = before + sum((draw.usage for draw in draws), Usage())
        return draws + (replace(draws[0], usage=Usage()),) * (request.n - asked.n)

    async def _started(self) -> Any:
        """The engine. Loading goes on where the call that began it is cancelled: there is no room for two engines."""
        if not self._closed:
            if self._loading is None:
                self._loading = asyncio.create_task(asyncio.to_thread(_loaded, self._options))
            engine = await asyncio.shield(self._loading)
        if self._closed:  # perhaps while it was loaded
            raise Suspended(f"the engine of {self._options.model!r} was closed")
        return engine

    def _refusal(self, error: Exception) -> BackendError:
        """Too long a prompt is an overflow, a dead engine as a server that stays away; anything else fails again."""
        if type(error).__name__ == DEAD:
            return Unreachable(f"the engine of {self._options.model!r} has died: {error}")
        found = stream_error(self._options.model, str(error) or type(error).__name__, lambda text: text)
        return found if isinstance(found, ContextOverflow) else BackendError(str(found))

    async def aclose(self) -> None:
        """Stop the engine, once it is loaded; calls in flight fail."""
        self._closed = True
        loading, self._loading = self._loading, None
        if loading is None:
            return
        await asyncio.wait([loading])
        if not loading.cancelled() and loading.exception() is None:
            await asyncio.to_thread(loading.result().shutdown)


def _prompt(request: Request, engine: Any) -> Any:
    if request.prompt is not None:
        return request.prompt
    if request.token_ids is not None:
        return {"prompt_token_ids": list(request.token_ids)}
    last = request.messages[-1].role == "assistant"
    ids = engine.get_tokenizer().apply_chat_template(
        [item for message in request.messages for item in wire(message)],
        add_generation_prompt=not last, continue_final_message=last, return_dict=False,
    )  # fmt: skip
    return {"prompt_token_ids": ids}


def _tokens(prompt: Any, request: Request) -> int:
    """What is known of a call until it ends: its prompt's tokens, of a text from above."""
    return prompt_bound(request)[0] if isinstance(prompt, str) else len(prompt["prompt_token_ids"])


def _of_vllm(error: Exception) -> bool:
    """Whether vLLM raised it: its own kinds of errors, or ValueError, by which older versions refuse a request."""
    return isinstance(error, ValueError) or any(kind.__module__.startswith("vllm.") for kind in type(error).__mro__)


def _loaded(options: Options) -> Any:
    try:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError as error:
        raise ConfigError(f"the backend kind 'vllm_engine' needs vLLM in this environment: {error}") from error
    mode = {"raw": "raw_logprobs", "processed": "processed_logprobs"}[options.logprobs_mode]
    return AsyncLLM.from_engine_args(AsyncEngineArgs(model=options.model, logprobs_mode=mode, **options.engine))


def _sampling(request: Request) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    structure = structure_of(request)
    return SamplingParams(
        n=request.n,
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=max(1, request.max_tokens),
        stop=list(request.stop),
        include_stop_str_in_output=request.keep_stop,
        seed=request.seed,
        logprobs=request.logprobs,
        prompt_logprobs=0 if request.prompt_logprobs else None,
        structured_outputs=StructuredOutputsParams(**structure) if structure else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
