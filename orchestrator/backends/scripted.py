"""Answers from a list or a function, with delays and failures on demand: for tests, yours included.

``ScriptedBackend`` takes any function of (request, sibling seed) to text; the YAML kind ``scripted`` takes a
list, whose entries are chosen by the draw's seed, so that answers do not depend on the order of arrival. Pooling
values and log-probabilities of prompts are scripted in the same way, by what is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import (
    Capabilities,
    Draw,
    Identity,
    Progress,
    Request,
    TokenLogprob,
)
from branchwise.orchestrator.core.usage import Usage

CAPABILITIES = Capabilities(
    token_ids=True, continue_message=True, seeds_increment=True, logprobs=True, json_schema=True,
    knows_stop=True, repeatable=True, choices=True, regex=True, priority=True,
)  # fmt: skip

Script = Callable[[Request, int], str]
Values = Callable[[Request], tuple[tuple[float, ...], ...]]
PromptLogprobs = Callable[[Request], tuple[TokenLogprob, ...]]


class Options(ModelOptions):
    """Options of the scripted backend."""

    TRANSPORT: ClassVar[frozenset[str]] = ModelOptions.TRANSPORT | {"delay_seconds", "jitter_seconds"}

    kind: Literal["scripted"] = "scripted"
    answers: list[str] = Field(min_length=1, description="Answers to choose from by the draw's seed.")
    delay_seconds: float = Field(0.0, ge=0, description="Mean time to answer.")
    jitter_seconds: float = Field(0.0, ge=0, description="Random time on top, drawn anew each time.")
    failure_rate: float = Field(0.0, ge=0, le=1, description="Share of draws (by seed) that fail for good.")
    values: list[list[list[float]]] = Field(
        default_factory=list,
        description="Numbers of a pooling model to choose from by what it is asked, each a list of rows.",
    )
    prompt_logprob: float | None = Field(
        None, le=0, description="Log-probability of each of a prompt's words; default: it tells none."
    )


def capabilities(options: Options) -> Capabilities:
    """What these scripts can answer."""
    return _capable(bool(options.values), options.prompt_logprob is not None)


def _capable(pooling: bool, prompt_logprobs: bool) -> Capabilities:
    return replace(CAPABILITIES, pooling=pooling, prompt_logprobs=prompt_logprobs)


class ScriptedBackend:
    """A backend that runs a script. One token is one white-space separated word, at least one."""

    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted",
        weights: str = "script",
        delay: Callable[[Request, int], float] = lambda request, seed: 0.0,
        fails: Callable[[Request, int], BackendError | None] = lambda request, seed: None,
        logprob: Callable[[Request, int], tuple[TokenLogprob, ...]] = lambda request, seed: (),
        values: Values | None = None,
        prompt_logprobs: PromptLogprobs | None = None,
    ) -> None:
        self.identity = Identity(name, weights=weights)
        self.capabilities = _capable(values is not None, prompt_logprobs is not None)
        self._values, self._prompt_logprobs = values, prompt_logprobs
        self.calls = 0
        self.in_flight = 0
        self.cancelled = 0
        self._script, self._delay, self._fails, self._logprob = script, delay, fails, logprob

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Words of the prompt, exactly."""
        return _prompt_tokens(request), True

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """The script's answers to ``n`` draws with seeds seed, seed + 1, ..."""
        progress = progress or Progress()
        seed = request.seed or 0
        self.calls += 1
        self.in_flight += 1
        progress.usage += Usage(_prompt_tokens(request), calls=1)
        try:
            if (delay := self._delay(request, seed)) > 0:
                await asyncio.sleep(delay)
            if (error := self._fails(request, seed)) is not None:
                raise error
            draws = tuple(self._draw(request, (seed + k) % 2**31, k) for k in range(request.n))
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        progress.usage += Usage(completion_tokens=sum(draw.usage.completion_tokens for draw in draws))
        return draws

    def _draw(self, request: Request, seed: int, k: int) -> Draw:
        if request.pooling is not None:
            return self._pooled(request)
        text, finish, stop = self._script(request, seed), "end", None
        for candidate in request.stop:
            head, found, _ = text.partition(candidate)
            if found:
                text, finish, stop = head + (found if request.keep_stop else ""), "stop", candidate
        tokens = max(1, len(text.split()))
        if tokens > request.max_tokens:
            text, finish, tokens = " ".join(text.split()[: request.max_tokens]), "length", request.max_tokens
        prompt = _prompt_tokens(request) if k == 0 else 0
        usage = Usage(prompt, tokens, calls=int(k == 0))
        told = self._prompt_logprobs(request) if request.prompt_logprobs and self._prompt_logprobs else ()
        logprobs = self._logprob(request, seed)
        return Draw(text, finish, usage, stop, self.identity.model, logprobs, prompt_logprobs=told)  # type: ignore[arg-type]

    def _pooled(self, request: Request) -> Draw:
        if self._values is None:
            raise BackendError("this scripted model has no values: it is no pooling model")
        usage = Usage(_prompt_tokens(request), calls=1)
        return Draw("", "end", usage, model=self.identity.model, values=self._values(request))

    async def aclose(self) -> None:
        """Nothing to close."""


def _prompt_tokens(request: Request) -> int:
    if request.token_ids is not None:
        return len(request.token_ids)
    return max(1, len(_prompt(request).split()))


def _prompt(request: Request) -> str:
    if request.prompt is not None:
        return request.prompt if request.document is None else f"{request.prompt}\n{request.document}"
    return " ".join(m.text for m in request.messages)


def build(options: Options) -> ScriptedBackend:
    """A backend that answers from the list."""
    clock_noise = random.Random()

    def fails(request: Request, seed: int) -> BackendError | None:
        lost = random.Random(seed).random() < options.failure_rate
        return BackendError("scripted failure") if lost else None

    def values(request: Request) -> tuple[tuple[float, ...], ...]:
        digest = hashlib.blake2b(f"{request.token_ids}{_prompt(request)}".encode("utf-8", "replace"), digest_size=4)
        rows = options.values[int.from_bytes(digest.digest(), "big") % len(options.values)]
        return tuple(map(tuple, rows))

    def prompt_logprobs(request: Request) -> tuple[TokenLogprob, ...]:
        assert options.prompt_logprob is not None
        return tuple(TokenLogprob(word, options.prompt_logprob) for word in _prompt(request).split()[1:])

    return ScriptedBackend(
        lambda request, seed: options.answers[seed % len(options.answers)],
        name=f"scripted:{len(options.answers)}",
        weights=_weights(options),
        delay=lambda request, seed: options.delay_seconds + clock_noise.random() * options.jitter_seconds,
        fails=fails,
        values=values if options.values else None,
        prompt_logprobs=prompt_logprobs if options.prompt_logprob is not None else None,
    )


def _weights(options: Options) -> str:
    scripts: list[object] = [options.answers]
    if options.values or options.prompt_logprob is not None:
        scripts += [options.values, options.prompt_logprob]
    text = repr(scripts if len(scripts) > 1 else options.answers)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
