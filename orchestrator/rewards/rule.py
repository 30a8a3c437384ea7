"""Rule: your own Python function, named ``package.module:function``, judges a finished or growing trajectory.

1. The function is called with a Trajectory, in the event loop's own thread: it must be quick and pure. What
   waits for something outside is a reward model of its own kind, not a rule.
2. It returns a number, or named factors, of which ``reducer`` makes the value.
3. What it raises, and what it returns that is not a finite number on the declared scale, is a failed
   judgement of that one trajectory.

Its ``source`` is declared, never guessed: a function that looks at the answer key is an ``oracle``, and
results steered by it must say so. The name comes from the user's own workflow, which is code that the user
trusts.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Judgement, Scale, failed, judged
from branchwise.orchestrator.core.options import JudgingOptions, Parts
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.rewards.bases import Pure
from branchwise.orchestrator.rewards.reducers import Reducer, reduced

Verdict = float | Mapping[str, float]


class Options(JudgingOptions):
    """Which function, and what its numbers mean."""

    kind: Literal["rule"] = "rule"
    scores_steps: ClassVar[bool] = False
    callable: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="The function, as package.module:function; called with a Trajectory.",
        examples=["branchwise.tasks.constrained_sentence.verifier:verify"],
    )
    source: Literal["rule", "tool", "oracle"] = Field(
        "rule", description="oracle: it knows the answer key; tool: it asks a tool; rule: neither."
    )
    scale: Scale = Field("probability", description="probability: 0 to 1; logit and raw: any finite number.")
    reducer: Reducer = Field("mean", description="How named factors become one value.")


@dataclass(frozen=True, slots=True)
class Rule(Pure[Options]):
    """A reward model over a function."""

    function: Callable[[Trajectory], Verdict]

    def score_one(self, trajectory: Trajectory) -> Judgement:
        """The function's verdict."""
        try:
            verdict = self.function(trajectory)
        except Exception as error:
            # The function is the user's and its input is hostile: one bad text must not end the run.
            return failed(f"{self.options.callable}: {type(error).__name__}: {error}"[:300], self.source)
        factors = verdict if isinstance(verdict, Mapping) else {"": verdict}
        if not factors or not all(map(self._on_scale, factors.values())):
            return failed(
                f"{self.options.callable}: not on the {self.options.scale} scale: {verdict!r:.200}",
                self.source,
            )
        value = reduced(self.options.reducer, [float(each) for each in factors.values()])
        judgement = judged(value, scale=self.options.scale, source=self.source)
        if verdict is factors and judgement.failure is None:
            return replace(judgement, factors=tuple((str(name), float(each)) for name, each in factors.items()))
        return judgement

    def _on_scale(self, value: object) -> bool:
        if not isinstance(value, Real) or not math.isfinite(value):
            return False
        return self.options.scale != "probability" or 0 <= float(value) <= 1


def build(options: Options, parts: Parts) -> Rule:
    """The reward model; ConfigError if there is no such function or if it is a coroutine function."""
    return Rule(options, _found(options.callable))


def _found(entry: str) -> Callable[[Trajectory], Verdict]:
    module_name, _, name = entry.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise ConfigError(f"rule: {entry}: {error}") from error
    if not callable(function):
        raise ConfigError(f"rule: there is no function {name} in {module_name}")
    if inspect.iscoroutinefunction(function):
        raise ConfigError(f"rule: {entry} is a coroutine function; a rule is called and returns at once")
    return function  # type: ignore[no-any-return]
