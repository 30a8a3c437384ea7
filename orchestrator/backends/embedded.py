"""A model in this process: a GGUF file run by llama.cpp's server engine (xllamacpp), with continuous batching.

Why: no server to start, nothing to configure, 0.1 s to load a small model; and, set up as below, the same
request and seed give the same text, which a search whose tree must not depend on timing is built on.

1. A request waits, first come first served, for as many of the engine's slots as it wants draws.
2. One thread of this backend's own executor hands it to the engine and takes the pieces as they come.
3. Cancelling the awaiting task makes the next piece's callback return True: the engine frees the slots at
   once. The cancellation is passed on when the thread is back, so ``progress.usage`` then is what was used.

Repeatability, measured bit by bit on the log-probabilities (x86-64, AVX2, xllamacpp 2026.10; alone, 3 and 8 in
flight, twice, shuffled; thousands of draws). What a token is computed from depends on which requests happen to
share its batch, so the arithmetic has to be the same in any batch:

- Q8_0, Q5_1, Q5_0, Q4_1 and Q4_0 weights are: no bit differs. F32, F16 and BF16 are not (1 % of 20-token texts
  changed, since one row and several rows go different ways), nor are the K and IQ quantizations (up to 3 %).
  Such a model therefore runs with one slot unless ``slots`` is set, and then ``capabilities.repeatable`` is
  False. One slot is always repeatable.
- ``n_ubatch`` stays below 64: from 64 rows on, flash attention works in tiles and rounds differently, so with
  the default of 512 a prompt of 64 tokens or more gave other texts (2 to 50 %) by company. 32 costs nothing.
- ``kv_unified`` is off: sequences in one cache are summed up in the order in which they came (2 % of texts).
- ``cache_prompt`` is harmless with the first five. With others it would recompute one row instead of several:
  off where there is one slot. ``cached_tokens`` depends on timing and is no part of the promise.
- One thread is the default. Two gave the same bits up to 512 tokens; beyond, keys are split by thread.

Speed (0.85 M parameters, Q8_0, draws of about 15 tokens, a busy machine of 2 cores): processor time a draw is
3 ms with one draw a request, 1.6 ms with 8, and 1.2 ms for a label of one token with 5 alternatives.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, model_validator

from branchwise.orchestrator.backends.catalogue import Model, find
from branchwise.orchestrator.backends.embedded_call import Call, ended
from branchwise.orchestrator.backends.embedded_text import Texts
from branchwise.orchestrator.backends.embedded_wire import Answers, Prompt, body_of
from branchwise.orchestrator.backends.gguf import Header, read_header, weights_hash
from branchwise.orchestrator.backends.scheduling import Slots
from branchwise.orchestrator.core.errors import BackendError, ConfigError
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request

CAPABILITIES = Capabilities(
    token_ids=True, continue_message=True, seeds_increment=True, logprobs=True, json_schema=True,
    knows_stop=True, repeatable=True,
)  # fmt: skip
"""Of a model with a chat template and invariant weights; a loaded one declares what it lacks."""

INVARIANT_TYPES = frozenset({2, 3, 6, 7, 8})
"""ggml's numbers for Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0, whose products don't depend on the rows beside them."""

DEFAULT_SLOTS = 8
DEFAULT_CONTEXT_TOKENS = 2048
ROWS_AT_ONCE = 32  # below the 64 rows from which on flash attention rounds differently
BATCH_TOKENS = 128  # between two of them a prompt can be cancelled and others get their next token


class Options(ModelOptions):
    """Options of the embedded backend."""

    TRANSPORT: ClassVar[frozenset[str]] = ModelOptions.TRANSPORT | {"threads"}

    kind: Literal["embedded"] = "embedded"
    model: str = Field(min_length=1, description="A model's name (`branchwise models`) or a GGUF file's path.")
    slots: int | None = Field(
        None, gt=0, le=64, description="Draws computed together; default: 8, or 1 where company would change them."
    )
    context: int | None = Field(
        None, gt=0, description="Tokens of prompt and answer in a slot; default: the model's, at most 2048."
    )
    threads: int = Field(1, gt=0, le=256, description="Threads of the engine; more than free cores is slower.")
    max_in_flight: int = Field(DEFAULT_SLOTS, gt=0, description="Requests in flight; default: as many as slots.")
    _cache: Path | None = PrivateAttr(None)

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_slots(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("slots") and "max_in_flight" not in given:
            return {**given, "max_in_flight": given["slots"]}
        return given

    def located(self, directory: Path, cache: Path | None = None) -> Options:
        """The same with a relative path of a file starting at ``directory``; a name is looked up in ``cache``."""
        path = Path(self.model).expanduser()
        is_path = os.sep in self.model or self.model.endswith(".gguf")
        located = self.model_copy(update={"model": str(directory / path)} if is_path else None)
        located._cache = cache
        return located

    def found(self) -> Model:
        """The model of this name or at this path; ConfigError that says what there is."""
        return find(self.model, self._cache)


def check(options: Options) -> None:
    """ConfigError if there is no such model, its file is no GGUF, or the context is too long; loads nothing."""
    found = options.found()
    assert found.path is not None
    _context_tokens(options, read_header(found.path))


def capabilities(options: Options) -> Capabilities:
    """Whether this model takes chats, from its file's header; one that isn't there is ``check``'s business."""
    try:
        path = options.found().path
        chat = path is None or bool(read_header(path).text("tokenizer.chat_template"))
    except ConfigError:
        return CAPABILITIES
    return replace(CAPABILITIES, chat=chat, continue_message=chat)


def build(options: Options) -> Embedded:
    """Load the model; ConfigError if there is none of that name, it is no GGUF or the engine refuses it."""
    return Embedded(options)


class Embedded:
    """A GGUF model in this process. Close it when done: it holds threads and the model's memory."""

    def __init__(self, options: Options) -> None:
        found = options.found()
        assert found.path is not None
        header = read_header(found.path)
        invariant = header.matrix_types <= INVARIANT_TYPES
        self.slots = options.slots or (DEFAULT_SLOTS if invariant else 1)
        self.context_tokens = _context_tokens(options, header)
        key = secrets.token_urlsafe(32)
        self._server = _start(found.path, options.threads, self.slots, self.context_tokens, key)
        self._texts = Texts(self._server.listening_address, key)
        template = header.text("tokenizer.chat_template")
        self.identity = Identity(
            model=found.name,
            weights=weights_hash(found.path),
            tokenizer=header.text("tokenizer.ggml.model"),
            template=_short_hash(template.encode()) if template else "",
            bos=self._texts.adds_bos(),
        )
        self.capabilities = replace(
            CAPABILITIES,
            chat=bool(template),
            continue_message=bool(template),
            repeatable=invariant or self.slots == 1,
        )
        self._cache_prompt = invariant or self.slots > 1
        self._executor = ThreadPoolExecutor(self.slots, "branchwise-embedded")
        self._free, self._turn = Slots(self.slots), Slots(1)
        self._running: dict[Call, asyncio.Future[None]] = {}
        self._closed = False

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Prompt tokens, exactly."""
        return self._texts.count(request), True

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """``request.n`` draws; raises ContextOverflow or another BackendError."""
        progress = progress or Progress()
        prompt = self._prompt_of(request)
        draws: list[Draw] = []
        while len(draws) < request.n:
            count = min(self.slots, request.n - len(draws))
            body = body_of(request, prompt, count, len(draws), cache_prompt=self._cache_prompt)
            answers = Answers(request, count, len(draws), self._texts.name_of)
            draws += await self._generate(Call(body, answers, progress), count)
        return tuple(draws)

    def _prompt_of(self, request: Request) -> Prompt:
        if self._closed:
            raise BackendError("this embedded backend was closed")
        if request.messages and not self.capabilities.chat:
            raise BackendError(f"the model {self.identity.model} has no chat template: send a prompt instead")
        if not (prompt := self._texts.prompt_of(request)) and not self.identity.bos:
            raise BackendError("the prompt is empty: there is nothing to continue")
        return prompt

    async def _generate(self, call: Call, count: int) -> list[Draw]:
        await self._take(count)
        try:
            await self._run(call)
        finally:
            for _ in range(count):
                self._free.release()
        if call.cancelled:
            raise BackendError("this embedded backend was closed")
        return call.answers.draws(self.identity.model)

    async def _take(self, count: int) -> None:
        """Take so many slots, one request at a time, lest two wait for each other's."""
        taken = 0
        await self._turn.acquire()
        try:
            while taken < count:
                await self._free.acquire()
                taken += 1
        except asyncio.CancelledError:
            for _ in range(taken):
                self._free.release()
            raise
        finally:
            self._turn.release()

    async def _run(self, call: Call) -> None:
        if self._closed:
            raise BackendError("this embedded backend was closed")
        running = asyncio.get_running_loop().run_in_executor(self._executor, call.run, self._server)
        self._running[call] = running
        try:
            await asyncio.wait([running])  # unlike an await of the future itself, this leaves it be if cancelled
        except asyncio.CancelledError:
            call.cancelled = True
            await ended(running)
            raise
        finally:
            del self._running[call]
        await running

    async def aclose(self) -> None:
        """Stop the calls in flight, which fail, and free the model once the last thread is back."""
        if self._closed:
            return
        self._closed = True
        for call in self._running:
            call.cancelled = True
        if running := list(self._running.values()):
            await asyncio.wait(running)
        self._texts.close()
        await asyncio.get_running_loop().run_in_executor(self._executor, self._drop)
        self._executor.shutdown()

    def _drop(self) -> None:
        # An engine that is freed before its loop has begun waits for it for ever, and the whole process with it
        # (xllamacpp 2026.10, on a busy machine). An answer shows that the loop runs.
        self._server.handle_completions(b'{"prompt": [0], "max_tokens": 1}', lambda _: False)
        del self._server


def _context_tokens(options: Options, header: Header) -> int:
    trained = header.context_tokens
    if options.context is None:
        return min(trained or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)
    if trained and options.context > trained:
        raise ConfigError(f"context: {options.context} is more than the {trained} tokens {options.model} knows")
    return options.context


def _start(path: Path, threads: int, slots: int, context_tokens: int, key: str) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigError("the embedded backend needs xllamacpp: pip install 'branchwise[local]'") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel, params.n_ctx = slots, slots * context_tokens
    params.n_batch, params.n_ubatch = BATCH_TOKENS, ROWS_AT_ONCE
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.kv_unified = params.fit_params = params.warmup = params.ui = params.endpoint_slots = False
    params.cache_ram_mib, params.n_threads_http = 0, 1
    params.api_keys, params.verbosity = [key], -1
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ConfigError(f"llama.cpp can't load {path}: damaged, or of a kind it doesn't know") from error


def _short_hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
