"""Calculator: re-computes what each step writes down; exact, free of charge, without an answer key.

1. If the problem is a chain such as ``47+38*3`` and ``continues`` is on, a step is right (1.0) if its line
   takes the result written before it, applies the chain's next operation to it and computes right; else it
   is wrong (0.0). Nothing goes on from a line that can't be read.
2. In any other text a step is right if every equation in it holds; a step without an equation gets
   ``no_equation``.
3. ``reducer`` makes one value of the steps' values.

The idea of a tool as a reward model: Themis, Li et al. 2023, arXiv 2310.01045.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement, Source, failed, judged
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.bases import Pure
from branchwise.orchestrator.rewards.equations import Equation, Evaluate, equations, holds
from branchwise.orchestrator.rewards.reducers import Reducer, reduced

_CHAIN: Final = re.compile(r"\s{0,8}(-?[0-9]{1,12})((?:[-+*/][0-9]{1,12}){1,64})\s{0,8}")
_OPERATION: Final = re.compile(r"[-+*/][0-9]{1,12}")
_LINE: Final = re.compile(r"(-?[0-9]{1,12}) ?([-+*/]) ?([0-9]{1,12}) ?= ?(-?[0-9]{1,12})")


class Options(JudgingOptions):
    """How the steps are read and summed up."""

    kind: Literal["calculator"] = "calculator"
    source: ClassVar[Source] = "tool"
    continues: bool = Field(True, description="In chain problems, a step must do the chain's next operation.")
    no_equation: float = Field(1.0, ge=0, le=1, description="Value of a free-text step without an equation.")
    reducer: Reducer = Field("min", description="How step values become the trajectory's value.")


@dataclass(frozen=True, slots=True)
class Calculator(Pure[Options]):
    """A reward model over a calculator."""

    evaluate: Evaluate

    def score_one(self, trajectory: Trajectory) -> Judgement:
        """Step values of 0 or 1 and their reduction; of no step a failure."""
        if not trajectory.steps:
            return failed("a trajectory without a step can't be re-computed", self.source)
        chain = _CHAIN.fullmatch(trajectory.problem.text) if self.options.continues else None
        texts = [step.text for step in trajectory.steps]
        values = tuple(self._along(chain, texts) if chain else map(self._free_text, texts))
        value = reduced(self.options.reducer, values)
        return judged(value, scale="probability", source=self.source, step_values=values)

    def _along(self, chain: re.Match[str], texts: Sequence[str]) -> Iterator[float]:
        expected: int | None = int(chain[1])
        operations = iter(_OPERATION.findall(chain[2]))
        for text in texts:
            verdicts = []
            for line in filter(None, map(str.strip, text.splitlines())):
                match = _LINE.fullmatch(line)
                due = next(operations, None)
                verdicts.append(match is not None and self._right(match, expected, due))
                expected = int(match[4]) if match is not None else None
            yield float(bool(verdicts) and all(verdicts))

    def _right(self, line: re.Match[str], expected: int | None, due: str | None) -> bool:
        left, operation, result = line[1], line[2] + line[3], line[4]
        follows = int(left) == expected and operation == due
        return follows and holds(Equation(left + operation, result), self.evaluate)

    def _free_text(self, text: str) -> float:
        found = equations(text)
        return float(all(holds(each, self.evaluate) for each in found)) if found else self.options.no_equation


def build(options: Options, parts: Parts) -> Calculator:
    """The reward model; ConfigError if it is given no calculator."""
    if parts.evaluate is None:
        raise ConfigError("the calculator reward needs a calculator: Parts(evaluate=...)")
    return Calculator(options, parts.evaluate)
