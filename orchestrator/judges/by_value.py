"""A judge of pairs that knows the reward model's values only: the logistic function of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.core.roles import Pair
from branchwise.orchestrator.core.selection import logistic
from branchwise.orchestrator.core.usage import NOTHING, Usage


class Options(JudgingOptions):
    """Options of the judge by value."""

    kind: Literal["by_value"] = "by_value"
    temperature: float = Field(1.0, ge=1e-6, description="The difference is divided by it.")
    source: ClassVar[Source] = "rule"
    wants_reward: ClassVar[bool] = True


class ByValue:
    """Compares the values that candidates have already."""

    source: Source = Options.source

    def __init__(self, temperature: float) -> None:
        self._temperature = temperature

    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]:
        """The probability that the first is better; a failure where one of them has no value."""
        return [self._compare(pair) for pair in pairs]

    def bound(self, pair: Pair, more_tokens: int = 0) -> Usage:
        """Nothing: no model is asked."""
        return NOTHING

    def _compare(self, pair: Pair) -> Judgement:
        one, other = pair.first.value, pair.second.value
        if one is None or other is None:
            return failed("a candidate without a value can't be compared by it", self.source)
        return judged(logistic((one - other) / self._temperature), scale="probability", source=self.source)


def build(options: Options, parts: Parts) -> ByValue:
    """The judge."""
    return ByValue(options.temperature)
