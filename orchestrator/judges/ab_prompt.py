"""A model as the judge of pairs: it is shown two answers, A and B, and would say which one is better.

1. One token is drawn, and the chance of A against B is read from its log-probabilities (core/labels.py).
2. Both orders are asked and have to agree (orders.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import BackendError, RewardFailure
from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.labels import UNDECIDED, label_chance
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.prompting import Prompted, PromptedOptions, prompted, prompted_needs
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Pair
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.judges.orders import combine_orders, orders

PROMPT: Final = (
    "Task:\n$problem\n\nAnswer A:\n$first\n\nAnswer B:\n$second\n\n"
    "Which answer is better? Say A or B, and nothing else.\n"
)


class Options(PromptedOptions):
    """Options of the model as a judge of pairs."""

    kind: Literal["ab_prompt"] = "ab_prompt"
    source: ClassVar[Source] = "judge"
    placeholders: ClassVar[Placeholders] = Placeholders(("first", "second"), ("problem",))
    first: str = Field("A", min_length=1, description="The label of the answer that is shown first.")
    second: str = Field("B", min_length=1, description="The label of the other one.")
    swap: bool = Field(True, description="Ask in both orders, two calls a comparison.")
    alternatives: int = Field(8, ge=2, description="Log-probabilities asked for at the label's position.")


@dataclass(frozen=True, slots=True)
class AbPrompt:
    """Asks a model about pairs."""

    options: Options
    asked: Prompted
    source: Source = Options.source

    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]:
        """The probability that the first is better, or why nothing could be said."""
        return await together([self._compare(pair) for pair in pairs])

    def bound(self, pair: Pair, more_tokens: int = 0) -> Usage:
        """One token a call; a call in each order."""
        more = 2 * more_tokens * self.asked.places("first", "second")
        each = [self.asked.bound(self._request(one), 1, more) for one in orders(pair, self.options.swap)]
        return sum(each, NOTHING)

    async def _compare(self, pair: Pair) -> Judgement:
        requests = [self._request(one) for one in orders(pair, self.options.swap)]
        try:
            draws = await together([self.asked.model.generate(request) for request in requests])
            chances = [self._read(draw) for (draw,) in draws]
        except (BackendError, RewardFailure) as error:
            return failed(str(error), self.source)
        return judged(combine_orders(*chances), scale="probability", source=self.source)

    def _read(self, draw: Draw) -> float:
        chance = label_chance(draw, self.options.first, self.options.second)
        if chance is None:
            raise RewardFailure(f"{UNDECIDED}: {draw.text[:40]!r}")
        return chance

    def _request(self, pair: Pair) -> Request:
        one, other = pair.first.trajectory, pair.second.trajectory
        prompt = self.asked.filled(problem=one.problem.text, first=one.text, second=other.text)
        return self.asked.request(prompt, max_tokens=1, logprobs=self.options.alternatives)


def needs(options: Options) -> dict[str, frozenset[str]]:
    """Log-probabilities of the label."""
    return prompted_needs(options, "logprobs")


def build(options: Options, parts: Parts) -> AbPrompt:
    """The judge over its model."""
    return AbPrompt(options, prompted(options, parts.model(options.model), PROMPT))
