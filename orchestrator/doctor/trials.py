"""Trials: does a model really do what a workflow needs of it? One small request for each capability.

A declared capability is a promise; servers overlook fields that they don't know, and then answer without. So each
trial also looks at what came back. What only rewards need, the numbers of a pooling model and chances of labels, is
tried by these themselves (rehearsal.py). ``speed`` sends some requests at once and counts what comes in a second.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Tool, assistant, user
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Backend

TEXT = "1+1"
PLAIN = Request(prompt=f"{TEXT}\n", max_tokens=1, temperature=0.0, seed=0)
TOLD = replace(PLAIN, prompt=None, messages=(user(TEXT),))
SPOKEN = "chat"


@dataclass(frozen=True, slots=True)
class Trial:
    """Changes to a plain request, and what has to be true of the answer; ``complaint`` where it is not."""

    asked: Callable[[Request], Request]
    holds: Callable[[tuple[Draw, ...]], bool] = lambda draws: True
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one trial: nothing, or what is wrong. ``known`` is False where there is no trial."""

    need: str
    wrong: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class Speed:
    """What a short burst brought: requests answered and tokens written in so many seconds."""

    requests: int
    tokens: int
    seconds: float


TRIALS: dict[str, Trial] = {
    "writes": Trial(lambda plain: plain),
    "completion": Trial(lambda plain: PLAIN),
    "chat": Trial(lambda plain: TOLD),
    "continue_message": Trial(lambda plain: replace(TOLD, messages=(user(TEXT), assistant("1+1=")))),
    "token_ids": Trial(lambda plain: replace(PLAIN, prompt=None, token_ids=(5, 6))),
    "n": Trial(lambda plain: replace(plain, n=2, temperature=1.0), lambda draws: len(draws) == 2),
    "logprobs": Trial(
        lambda plain: replace(plain, logprobs=2), lambda draws: bool(draws[0].logprobs), "no log-probabilities came"
    ),
    "prompt_logprobs": Trial(
        lambda plain: replace(PLAIN, prompt_logprobs=True),
        lambda draws: bool(draws[0].prompt_logprobs),
        "no log-probabilities of the prompt came",
    ),
    "json_schema": Trial(
        lambda plain: replace(plain, json_schema='{"type": "boolean"}', max_tokens=8),
        lambda draws: _is_json(draws[0].text),
        "the field was overlooked: what came is no JSON",
    ),
    "choices": Trial(
        lambda plain: replace(plain, choices=("7", "8"), max_tokens=8),
        lambda draws: draws[0].text in ("7", "8"),
        "the field was overlooked: what came is none of the choices",
    ),
    "regex": Trial(
        lambda plain: replace(plain, regex="[78]", max_tokens=8),
        lambda draws: re.fullmatch("[78]", draws[0].text) is not None,
        "the field was overlooked: what came does not match",
    ),
    "tools": Trial(lambda plain: replace(TOLD, tools=(Tool("add"),))),
}


def plain(needs: Iterable[str]) -> Request:
    """A request for one token: in messages, of a model that chats."""
    wanted = set(needs)
    return TOLD if SPOKEN in wanted and "completion" not in wanted else PLAIN


async def tried(model: Backend, needs: Iterable[str]) -> list[Tried]:
    """One by one, what came of each need's trial."""
    wanted = sorted(needs)
    return [await _tried(model, need, plain(wanted)) for need in wanted]


async def speed(model: Backend, request: Request, at_once: int = 16, max_tokens: int = 32) -> Speed | None:
    """A burst of ``at_once`` such requests, of different seeds where tokens are drawn; None where one fails."""
    requests = [request] * at_once
    if request.pooling is None:
        drawn = replace(request, temperature=1.0, max_tokens=max_tokens)
        requests = [replace(drawn, seed=seed) for seed in range(at_once)]
    begun = time.perf_counter()
    try:
        answers = await asyncio.gather(*(model.generate(request) for request in requests))
    except BackendError:
        return None
    tokens = sum(draw.usage.completion_tokens for draws in answers for draw in draws)
    return Speed(at_once, tokens, time.perf_counter() - begun)


async def _tried(model: Backend, need: str, asked: Request) -> Tried:
    trial = TRIALS.get(need)
    if trial is None:
        return Tried(need, known=False)
    try:
        draws = await model.generate(trial.asked(asked))
    except BackendError as error:
        return Tried(need, str(error))
    return Tried(need, "" if trial.holds(draws) else trial.complaint)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
