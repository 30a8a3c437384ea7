"""Report: everything that a page or a table shows, as closed, frozen data; JSON in and out.

Whoever fills it reads journals; whoever draws it reads nothing else. A strategy is one run. Texts may be
hostile and may hold lone surrogates (no valid UTF-8): those are replaced, so any report can be written.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field, model_validator

from branchwise.orchestrator.report.shown import (
    Count,
    Fact,
    Interval,
    RewardKind,
    RoleTokens,
    Share,
    Shown,
)
from branchwise.orchestrator.report.tree import Tree


class ModelShown(Shown):
    """A model that answered: the roles it had, its name, and facts that identify it (weights, hash)."""

    roles: tuple[str, ...]
    name: str
    facts: dict[str, Fact] = Field(default_factory=dict)


class Strategy(Shown):
    """One run. ``name`` is unique; runs of one ``family`` share a colour; a ``baseline`` is never hidden.

    ``failed`` counts whole problems by the boundary that lost them, ``candidates_lost`` single candidates of
    problems that may well have been graded; those at the boundary ``reward`` are judgements, of ``judgements`` in
    all (0 where that is not on record). ``notes`` qualify the numbers and are shown beside them.
    """

    name: str
    family: str = ""
    samples: int | None = Field(None, gt=0)
    baseline: bool = False
    workflow: str = ""
    algorithm: str
    reward: str = ""
    reward_kind: RewardKind = "none"
    attempted: Count
    graded: Count
    correct: Count
    interval: Interval | None = None
    failed: dict[str, Count] = Field(default_factory=dict)
    candidates_lost: dict[str, Count] = Field(default_factory=dict)
    judgements: Count = 0
    tokens: tuple[RoleTokens, ...] = ()
    seconds: float | None = Field(None, ge=0)
    stops: dict[str, Count] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seed: int | None = None
    models: tuple[ModelShown, ...] = ()
    run_directory: str = ""
    facts: dict[str, Fact] = Field(default_factory=dict)

    @property
    def accuracy(self) -> float | None:
        """Right of the graded."""
        return self.correct / self.graded if self.graded else None

    @property
    def unjudged(self) -> bool:
        """True where judgements were asked for and every one was lost."""
        return 0 < self.judgements == self.candidates_lost.get("reward", 0)

    @property
    def all_failed(self) -> bool:
        """True where not one problem came to an end without being lost."""
        return 0 < self.attempted == sum(self.failed.values())

    @model_validator(mode="after")
    def _counts_fit(self) -> Strategy:
        if not self.correct <= self.graded <= self.attempted:
            raise ValueError(f"{self.name}: correct <= graded <= attempted does not hold")
        if sum(self.failed.values()) > self.attempted - self.graded:
            raise ValueError(f"{self.name}: more problems failed than were left ungraded")
        return self


class Point(Shown):
    """A strategy at one size: mean drawn (generated) tokens a problem by role, accuracy with its 95 % interval."""

    label: str
    drawn_tokens: dict[str, float]
    accuracy: Share
    low: Share
    high: Share
    graded: Count

    @model_validator(mode="after")
    def _ordered(self) -> Point:
        if not self.low <= self.accuracy <= self.high:
            raise ValueError(f"{self.label}: low <= accuracy <= high does not hold")
        if sum(self.drawn_tokens.values()) <= 0:
            raise ValueError(f"{self.label}: a point needs tokens to stand on the axis")
        return self


class Curve(Shown):
    """The points of one family, drawn as one line; ``family`` ties its colour to the strategies'."""

    name: str
    family: str = ""
    baseline: bool = False
    reward_kind: RewardKind = "none"
    points: tuple[Point, ...]


class Comparison(Shown):
    """Two strategies on the same problems; ``difference`` is the first's accuracy less the second's.

    The second may be a mixture: of the problems, by chance, ``share`` are ``other``'s. ``tokens`` are the first's
    policy tokens as a share of the second's.
    """

    first: str
    second: str
    other: str | None = None
    share: Share = 0.0
    tokens: float | None = Field(None, ge=0)
    both: Count
    only_first: Count
    only_second: Count
    neither: Count
    dropped: Count = 0
    difference: float | None
    interval: Interval | None
    p_value: Share

    @property
    def names(self) -> tuple[str, ...]:
        """Of all runs that take part."""
        return (self.first, self.second) if self.other is None else (self.first, self.second, self.other)


class ReliabilityBin(Shown):
    """Answers of like value: the reward's mean value, the share that was right, and how many they are."""

    chance: Share
    correct: Share
    count: int = Field(gt=0)


class Reliability(Shown):
    """How often the judged answers of a strategy were right; ``left_out`` answers are of unknown grade."""

    strategy: str
    bins: tuple[ReliabilityBin, ...] = Field(min_length=1)
    expected_calibration_error: Share
    problems: Count
    left_out: Count = 0


class ProblemShown(Shown):
    """A problem's text and its answer key."""

    id: str
    question: str
    expected: str | None = None


class FailureShown(Shown):
    """A boundary that broke, where, and one sentence."""

    boundary: str
    message: str
    lineage: str | None = None


class Row(Shown):
    """One problem under one strategy; ``correct`` is None where it was not graded; ``tokens`` are those generated."""

    strategy: str
    problem: str
    answer: str | None = None
    correct: bool | None = None
    stop: str | None = None
    tokens: dict[str, Count] = Field(default_factory=dict)
    failures: tuple[FailureShown, ...] = ()


class Report(Shown):
    """All of it. Raises ValidationError where a row, tree or comparison names what is not there."""

    schema_version: Literal[1] = 1
    title: str
    created: str
    task: str = ""
    branchwise_version: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    command: str = ""
    notes: tuple[str, ...] = ()
    strategies: tuple[Strategy, ...]
    curves: tuple[Curve, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    reliabilities: tuple[Reliability, ...] = ()
    problems: tuple[ProblemShown, ...] = ()
    rows: tuple[Row, ...] = ()
    trees: tuple[Tree, ...] = ()

    @model_validator(mode="after")
    def _names_exist(self) -> Report:
        strategies = Counter(strategy.name for strategy in self.strategies)
        problems = Counter(problem.id for problem in self.problems)
        twice = [name for counter in (strategies, problems) for name, count in counter.items() if count > 1]
        named = [(row.strategy, row.problem) for row in self.rows]
        named += [(tree.graph.strategy, tree.graph.problem) for tree in self.trees]
        unknown = {name for name, _ in named if name not in strategies}
        unknown |= {one.strategy for one in self.reliabilities} - strategies.keys()
        unknown |= {name for pair in self.comparisons for name in pair.names} - strategies.keys()
        unknown |= {name for _, name in named if name not in problems}
        if twice or unknown:
            raise ValueError(f"names given twice: {sorted(twice)}; names of nothing: {sorted(unknown)}")
        return self
