"""A model that says what a function makes of its prompt, and remembers what it was asked: for all kinds of judges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from branchwise import ScriptedBackend
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.request import Draw, Request, TokenLogprob
from branchwise.orchestrator.core.usage import NOTHING, Usage


class Speaking(ScriptedBackend):
    """``says(prompt, seed)`` is the text; where log-probabilities are asked for, ``labels`` are the alternatives'."""

    def __init__(self, says: Callable[[str, int], str], labels: Mapping[str, float] | None = None) -> None:
        top = tuple((labels or {"yes": math.log(0.9), "no": math.log(0.1)}).items())
        at_label = (TokenLogprob(*top[0], top=top),)
        super().__init__(
            lambda request, seed: top[0][0] if request.logprobs else says(asked(request), seed),
            logprob=lambda request, seed: at_label if request.logprobs else (),
        )
        self.requests: list[Request] = []
        self.used: Usage = NOTHING

    async def generate(self, request: Request, progress: Any = None) -> tuple[Draw, ...]:
        self.requests.append(request)
        self.used += Usage(self.count_prompt(request)[0], calls=1)
        draws = await super().generate(request, progress)
        self.used += Usage(0, sum(draw.usage.completion_tokens for draw in draws))
        return draws

    @property
    def prompts(self) -> list[str]:
        """What it was asked, in the order of asking."""
        return [asked(request) for request in self.requests]


def asked(request: Request) -> str:
    """The text of a request, whatever its form."""
    return request.prompt if request.prompt is not None else "\n".join(each.text for each in request.messages)


def parts(*models: ScriptedBackend, **named: ScriptedBackend) -> Parts:
    """What a part is built on: one model under every name, or several by name."""
    return Parts(lambda name: named[name] if named else models[0], lambda trajectory: None)
