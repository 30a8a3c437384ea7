"""Answers of a vLLM server: the protocol's (openai_answer.py), token ids, log-probabilities of the prompt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from branchwise.orchestrator.backends.openai_answer import MALFORMED, Answer
from branchwise.orchestrator.backends.vllm_structured import check_structure
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob


class TokenAnswer(Answer):
    """The choices of one request with their token ids; kept are ids of draws that ended at a stop string."""

    __slots__ = ("_ids", "_prompt_ids", "_prompt_logprobs")

    def __init__(self, request: Request, where: str, scrub: Callable[[str], str] = lambda text: text) -> None:
        super().__init__(request, where, True, scrub)
        self._ids: dict[int, list[int]] = {}
        self._prompt_ids: tuple[int, ...] = ()
        self._prompt_logprobs: Any = None

    def _add(self, event: dict[str, Any]) -> None:
        self._add_prompt(event)  # a chat's; a completion's is in its choices
        super()._add(event)

    def _add_choice(self, index: int, part: dict[str, Any]) -> None:
        super()._add_choice(index, part)
        self._add_prompt(part)
        if part.get("token_ids"):
            self._ids.setdefault(index, []).extend(part["token_ids"])
            self.pieces += len(part["token_ids"]) - 1

    def _add_prompt(self, part: dict[str, Any]) -> None:
        if part.get("prompt_token_ids") and self._request.token_ids is None:
            self._prompt_ids = tuple(part["prompt_token_ids"])
        if part.get("prompt_logprobs"):
            self._prompt_logprobs = part["prompt_logprobs"]

    def _counts(self) -> list[int]:
        return [len(self._ids.get(index, ())) or count for index, count in enumerate(super()._counts())]

    def draws(self) -> tuple[Draw, ...]:
        """The n draws, in order; BackendError where one has not the form that was asked for."""
        draws = super().draws()
        for draw in draws:
            check_structure(self._request, draw)
        if self._request.prompt_logprobs:
            told = self._told()
            draws = tuple(self._scoring(draw, told) for draw in draws)
        if self._ids:
            draws = tuple(self._with_ids(index, draw) for index, draw in enumerate(draws))
        return draws

    def _with_ids(self, index: int, draw: Draw) -> Draw:
        if draw.stop_string is None or index not in self._ids:
            return draw
        return replace(draw, token_ids=tuple(self._ids[index]), prompt_ids=self._prompt_ids)

    def _scoring(self, draw: Draw, told: tuple[TokenLogprob, ...]) -> Draw:
        if self._request.max_tokens:
            return replace(draw, prompt_logprobs=told)
        usage = replace(draw.usage, completion_tokens=0)  # the one token that had to be drawn was not asked for
        return replace(draw, text="", usage=usage, logprobs=(), prompt_logprobs=told)

    def _told(self) -> tuple[TokenLogprob, ...]:
        if self._prompt_logprobs is None:
            raise BackendError(f"{self._where}: log-probabilities of the prompt were asked for and not sent")
        try:
            return tuple(_logprob(entry) for entry in self._prompt_logprobs if entry is not None)
        except MALFORMED as error:
            raise BackendError(f"{self._where}: malformed prompt_logprobs", retryable=True) from error


def _logprob(entry: dict[str, Any]) -> TokenLogprob:
    """The prompt's own token: the only entry, or the first where the server adds alternatives."""
    own: dict[str, Any] = next(iter(entry.values()), {})
    token, logprob = own["decoded_token"], float(own["logprob"])
    if not isinstance(token, str) or math.isnan(logprob):
        raise ValueError(f"no token and log-probability: {own}")
    return TokenLogprob(token, logprob)
