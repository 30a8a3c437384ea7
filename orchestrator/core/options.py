"""Options: what a user may write about a part in YAML or Python. Closed, frozen, tagged by ``kind``.

A file in a role's folder is a kind if it defines ``Options`` and ``build``:

=========  ==========================  ======================================================
role       folder                      build
=========  ==========================  ======================================================
search     orchestrator/search/        ``build(options, root, seed: int) -> Search``
reward     orchestrator/rewards/       ``build(options, parts: Parts) -> RewardModel``
judge      orchestrator/judges/        ``build(options, parts: Parts) -> PairJudge``
agent      agents/                     ``build(options, parts: Parts) -> Agent``
backend    orchestrator/backends/      ``build(options) -> Backend`` and ``CAPABILITIES``
task       tasks/NAME/                 ``build(options, *, seed: int = 0) -> Task``
=========  ==========================  ======================================================

A task's ``seed`` is the run's, unless its options set one; it only matters to tasks that draw their problems.
A kind that calls models also defines ``needs(options)``: which capabilities it wants of which model. The options of
rewards and of judges of pairs are ``JudgingOptions``. A reward's say where its judgements come from, as a field or
class variable ``source`` (a core.judgement.Source), so that it is known before any model is loaded. A backend may
define ``check(options)``, which raises ConfigError for what is wrong with them, a missing file say, without loading
anything; and ``VARIANTS``: what it can do if told so, by what has to be said to it.

The Options of a search that is composed of others (search/by_difficulty.py) are generic: the options of these others
stand in fields of a type variable, for which workflow/spec.py puts in every kind of the role, this one included. The
variable ``AnyJudge`` stands for the judges of pairs instead. Such a part builds the others by
``module_of(options).build``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import STRONGEST, Source
from branchwise.orchestrator.core.request import Identity
from branchwise.orchestrator.core.roles import Answering, Backend
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.usage import Usage


class Options(BaseModel):
    """Root of every kind's options: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: str

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Of generic options: without the names of all kinds that they may hold."""
        return cls.__name__


class JudgingOptions(Options):
    """Options of a reward or of a judge of pairs: they tell what it is like, with all the parts within it."""

    @property
    def within(self) -> tuple[JudgingOptions, ...]:
        """The options of the parts right within this one, in the order of their fields."""
        values = [getattr(self, name) for name in type(self).model_fields]
        parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
        return tuple(part for part in parts if isinstance(part, JudgingOptions))

    @property
    def described(self) -> str:
        """What a table calls it."""
        return self.kind

    @property
    def wants_world(self) -> bool:
        """Whether it reads what a world gave."""
        return any(part.wants_world for part in self.within)

    @property
    def sampled(self) -> bool:
        """Whether its verdict is a sample: with another seed it may be another one."""
        return any(part.sampled for part in self.within)

    @property
    def scores_steps(self) -> bool:
        """False where it is known to give one value and no step scores."""
        return True

    def reseeded(self, k: int) -> Self:
        """The same; where it is sampled with other seeds, which no other ``k`` has, in the parts within it too."""
        if not self.sampled:
            return self
        fields = {name: _reseeded(getattr(self, name), name, k) for name in type(self).model_fields}
        return self.model_copy(update=fields)


def each_part(options: Options) -> Iterator[Options]:
    """A part's options, and those of all the parts within it."""
    yield options
    for part in options.within if isinstance(options, JudgingOptions) else ():
        yield from each_part(part)


def _reseeded(value: Any, name: str, k: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_reseeded(part, "", k) for part in value)
    if isinstance(value, JudgingOptions):
        return value.reseeded(k)
    return seed_by_content(value, "copy", k) if name == "seed" else value


def source_of(options: JudgingOptions) -> Source:
    """Where its judgements come from: of its own source and those of all parts within it the strongest.

    ConfigError where one of them declares none.
    """
    own: Source | None = getattr(options, "source", None)
    sources = {*map(source_of, options.within), *([own] if own is not None else [])}
    if not sources:
        raise ConfigError(f"reward kind '{options.kind}' does not declare its source (Options.source)")
    return next(source for source in STRONGEST if source in sources)


AnyJudge = TypeVar("AnyJudge", bound=JudgingOptions)
"""In generic options: those of any judge of pairs."""


def module_of(options: Options) -> Any:
    """The module of a kind, which has its ``build``: where its Options are defined."""
    return sys.modules[type(options).__module__]


def own_needs(options: Options) -> dict[str, frozenset[str]]:
    """Which capabilities a part wants of which model, without the parts within it."""
    needs: Any = getattr(module_of(options), "needs", None)
    found: dict[str, frozenset[str]] = needs(options) if needs is not None else {}
    return found


def needs_of_part(options: Options) -> dict[str, frozenset[str]]:
    """Which capabilities a part wants of which model, its own first, with all the parts within it."""
    return merged_needs(*map(own_needs, each_part(options)))


def merged_needs(*needs: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """What several parts want of each model, together."""
    models = dict.fromkeys(model for each in needs for model in each)
    return {model: frozenset().union(*(each.get(model, frozenset()) for each in needs)) for model in models}


MILLION: Final = 1e6


class Price(BaseModel):
    """What a model costs, in any one currency, per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompt: float = Field(0.0, ge=0, description="Per million prompt tokens.")
    cached: float | None = Field(None, ge=0, description="Per million cached prompt tokens; default: prompt's.")
    completion: float = Field(0.0, ge=0, description="Per million completion tokens.")

    @property
    def free(self) -> bool:
        """Whether nothing costs anything."""
        return not (self.prompt or self.cached or self.completion)

    def of(self, usage: Usage) -> Usage:
        """The same usage with what it costs."""
        cached = self.prompt if self.cached is None else self.cached
        prompt = (usage.prompt_tokens - usage.cached_tokens) * self.prompt + usage.cached_tokens * cached
        return self._costing(prompt, usage)

    def bound(self, usage: Usage) -> Usage:
        """The same usage with the most that it can cost: cached prompt tokens are not counted on."""
        return self._costing(usage.prompt_tokens * max(self.prompt, self.cached or 0.0), usage)

    def _costing(self, prompt: float, usage: Usage) -> Usage:
        return replace(usage, money=(prompt + usage.completion_tokens * self.completion) / MILLION)


def dearest(prices: Iterable[Price]) -> Price:
    """A price that none of these is above in anything; free of charge where there is none."""
    known = list(prices)
    prompt = max((max(each.prompt, each.cached or 0.0) for each in known), default=0.0)
    return Price(prompt=prompt, completion=max((each.completion for each in known), default=0.0))


class ModelOptions(Options):
    """What every backend has besides its own options: limits, retries, price."""

    TRANSPORT: ClassVar[frozenset[str]] = frozenset(
        {"max_in_flight", "requests_per_second", "turns", "retries", "outage_seconds", "timeout_seconds"}
    )
    """Options that say where the model runs and how fast, never what it is asked: they may change on resume."""
    VERSIONED: ClassVar[str] = ""
    """The software whose version its servers tell at /version, if that is known."""

    max_in_flight: int = Field(32, gt=0, description="Requests in flight at once to this model.")
    requests_per_second: float | None = Field(None, gt=0, description="Rate limit of requests sent.")
    turns: Literal["fair", "arrival", "shortest_remaining", "value_of_information"] = Field(
        "fair", description="Which problem's call goes first when calls wait; never changes what a search asks for."
    )
    retries: int = Field(4, ge=0, description="Further tries after a retryable failure.")
    outage_seconds: float = Field(
        300.0,
        ge=0,
        description="How long calls wait for a server that has answered before and can't be reached now, without "
        "using up tries.",
    )
    timeout_seconds: float = Field(300.0, gt=0, description="Time for one try, first byte to last.")
    price: Price = Field(default_factory=Price, description="Cost per million tokens, for money budgets.")

    @property
    def identity(self) -> Identity | None:
        """Who answers, where the options alone tell; None where the model has to be loaded to know."""
        return None

    @property
    def server(self) -> str:
        """The address of the server that answers, without what may be secret in it; empty where there is none."""
        return ""

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses of all servers that may answer, likewise."""
        return (self.server,) if self.server else ()

    @property
    def key(self) -> str | None:
        """What is sent to the server to be let in."""
        return None

    @property
    def served_names(self) -> dict[str, str]:
        """What its servers have to list before anything is asked, by the key that says it; empty: anything goes."""
        return {}

    def located(self, directory: Path, cache: Path | None = None) -> ModelOptions:
        """The same options, where a kind has files: those named are in ``directory``, those pulled in ``cache``."""
        return self


@dataclass(frozen=True, slots=True)
class Parts:
    """What a part is given to build on: models by their name in the workflow, and the task's public half.

    ``evaluate`` is a calculator: the exact value of an expression, or SandboxError.
    """

    model: Callable[[str], Backend]
    answer: Answering
    evaluate: Callable[[str], Fraction] | None = None
    directory: Path = field(default_factory=Path)
