"""The arithmetic task: seeded problems of the evaluation side, never seen in training, and their key.

1. ``count`` different chains are drawn from the evaluation side of the split; the first n of a longer list
   are the list of n, so a limit only cuts.
2. A problem's message is the chain's text, which is what the tiny policy was trained on, less the newline.
3. An answer is the last written result of a finished solution: one line for each operation. It says nothing
   of whether the steps are right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field, field_validator

from branchwise.orchestrator.core.answers import canonical, to_answer
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.tasks.arithmetic.generator import MAX_STEPS, OPERATORS, Chain, evaluation_chains

_RESULT: Final = re.compile(r"[^=]{1,64}= ?(-?[0-9]{1,12})")


class Options(_Options):
    """Which problems are drawn."""

    kind: Literal["arithmetic"] = "arithmetic"
    steps: int = Field(3, ge=1, le=MAX_STEPS, description="Operations in each chain.")
    operators: str = Field("+-*", description="Which operations are drawn: any of + - *, each once.")
    count: int = Field(100, gt=0, le=100_000, description="Number of problems.")
    seed: int | None = Field(None, description="Which problems; default: the run's seed.")

    @field_validator("operators")
    @classmethod
    def _known(cls, operators: str) -> str:
        if not operators or len(set(operators)) != len(operators) or not set(operators) <= set(OPERATORS):
            raise ValueError(f"operators are some of {''.join(OPERATORS)}, each once; got {operators!r}")
        return operators


class ArithmeticTask:
    """A fixed list of chains; the key is worked out from them and stays here."""

    name = "arithmetic"

    def __init__(self, chains: list[Chain]) -> None:
        self._chains = {_id_of(chain): chain for chain in chains}

    def problems(self) -> Iterator[Problem]:
        """The problems, in the order in which they were drawn."""
        for problem_id, chain in self._chains.items():
            operators = "".join(each.operator for each in chain.operations)
            metadata: dict[str, str | int] = {"steps": len(chain.operations), "operators": operators}
            yield Problem(problem_id, (user(chain.text),), metadata)

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """The last result, if every operation has its line and the last line was not cut off."""
        if trajectory.stop is not StopReason.ANSWERED and not trajectory.text.endswith("\n"):
            return None
        lines = [line.strip() for line in trajectory.text[:10_000].splitlines() if line.strip()]
        match = _RESULT.fullmatch(lines[-1]) if lines else None
        if match is None or len(lines) != trajectory.problem.metadata.get("steps"):
            return None
        return to_answer(match[1])

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 for the chain's true value, else 0; KeyError for a problem that is not of this task."""
        expected = str(self._chains[problem_id].answer)
        return Grade(float(canonical(answer) == expected), expected)


def build(options: Options, *, seed: int = 0) -> ArithmeticTask:
    """The task; ``seed`` is used where the options set none. ConfigError if there are too few."""
    rng = random.Random(options.seed if options.seed is not None else seed)
    operators = [each for each in OPERATORS if each in options.operators]
    try:
        return ArithmeticTask(evaluation_chains(rng, options.count, options.steps, operators))
    except ValueError as error:
        raise ConfigError(f"arithmetic: {error}; ask for fewer problems, more steps or more operators") from error


def _id_of(chain: Chain) -> str:
    return "arithmetic-" + chain.text.replace("*", "x")
