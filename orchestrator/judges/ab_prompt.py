"""A model as the judge of pairs: it is shown two answers, A and B, and would say which one is better.

1. One token is drawn, and the chance of A against B is read from its log-probabilities (core/labels.py).
2. Both orders are asked and have to agree (orders.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Template
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import BackendError, RewardFailure
from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.labels import label_chance
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Backend, Pair
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.judges.orders import agreed, orders

PROMPT = (
    "Task:\n$problem\n\nAnswer A:\n$first\n\nAnswer B:\n$second\n\n"
    "Which answer is better? Say A or B, and nothing else.\n"
)


class Options(JudgingOptions):
    """Options of the model as a judge of pairs."""

    kind: Literal["ab_prompt"] = "ab_prompt"
    source: ClassVar[Source] = "judge"
    model: str = Field(description="Name of the model that compares.")
    prompt: str = Field(PROMPT, description="Template; $problem, $first and $second are filled in.")
    style: Literal["chat", "completion"] = Field(
        "chat", description="Send the prompt as a user's message, or as plain text to be continued."
    )
    first: str = Field("A", min_length=1, description="The label of the answer that is shown first.")
    second: str = Field("B", min_length=1, description="The label of the other one.")
    swap: bool = Field(True, description="Ask in both orders, two calls a comparison.")
    alternatives: int = Field(8, ge=2, description="Log-probabilities asked for at the label's position.")


class AbPrompt:
    """Asks a model about pairs."""

    source: Source = Options.source

    def __init__(self, options: Options, model: Backend) -> None:
        self._options, self._model = options, model
        self._template = Template(options.prompt)

    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]:
        """The probability that the first is better, or why nothing could be said."""
        return await together([self._compare(pair) for pair in pairs])

    def bound(self, pair: Pair) -> Usage:
        """One token a call; a call in each order."""
        calls = [self._model.count_prompt(self._request(one)) for one in orders(pair, self._options.swap)]
        return Usage(
            sum(tokens for tokens, _ in calls), len(calls), calls=len(calls), exact=all(exact for _, exact in calls)
        )

    async def _compare(self, pair: Pair) -> Judgement:
        try:
            draws = await together(
                [self._model.generate(self._request(one)) for one in orders(pair, self._options.swap)]
            )
            chances = [self._read(draw) for (draw,) in draws]
        except (BackendError, RewardFailure) as error:
            return failed(str(error), self.source)
        return judged(agreed(*chances), scale="probability", source=self.source)

    def _read(self, draw: Draw) -> float:
        chance = label_chance(draw, self._options.first, self._options.second)
        if chance is None:
            raise RewardFailure(f"neither label is among the alternatives: {draw.text[:40]!r}")
        return chance

    def _request(self, pair: Pair) -> Request:
        prompt = self._template.safe_substitute(
            problem=pair.first.trajectory.problem.text,
            first=pair.first.trajectory.text,
            second=pair.second.trajectory.text,
        )
        chat = self._options.style == "chat"
        return Request(
            messages=(user(prompt),) if chat else (),
            prompt=None if chat else prompt,
            max_tokens=1,
            temperature=0.0,
            seed=0,
            logprobs=self._options.alternatives,
        )


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Log-probabilities after a chat or a plain text."""
    return {options.model: frozenset({options.style, "logprobs"})}


def build(options: Options, parts: Parts) -> AbPrompt:
    """The judge over its model."""
    return AbPrompt(options, parts.model(options.model))
