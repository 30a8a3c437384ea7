"""Suite: which strategies are held against each other, on which problems, at which sizes. Written as YAML.

A part of a suite is one comparison: every strategy solves the same problems with the same seed, and the same
draw is never paid for twice within a part. A strategy with ``variants`` (rewards, say) runs once with each of them,
one with ``samples`` once a size. It is compared with every baseline of its size and, where that has variants, of its
variant; a baseline itself is compared with those before it. With ``equal_tokens`` all sizes of a baseline are at
hand for it (evaluation/matching.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from branchwise.orchestrator.core.errors import ConfigError

Settings = dict[str, JsonValue]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Closed):
    """One strategy: a workflow file, what to set in it, and the sizes at which it runs."""

    name: str = Field(description="Shown in tables, with the variant, and N=... for samples.")
    workflow: Path | None = Field(None, description="Workflow file, relative to the suite's; default: the part's.")
    settings: Settings = Field(default_factory=dict, alias="set", description="Keys such as nodes.search.select.")
    variants: dict[str, Settings] = Field(
        default_factory=dict, description="Name of a variant -> what to set for it."
    )
    samples: dict[int, Settings] = Field(default_factory=dict, description="Number of samples -> what to set for it.")
    baseline: bool = Field(
        False, description="Others of the same size, and of the same variant if it has any, are compared with it."
    )


class Part(_Closed):
    """One comparison over one task."""

    title: str = Field(description="Heading of its table and page.")
    task: str = Field(description="KIND[:ARGS] or FILE.jsonl, as for --tasks.")
    limit: int = Field(gt=0, description="Problems.")
    workflow: Path | None = Field(None, description="Workflow file of strategies that name none.")
    share_draws: bool = Field(
        True, description="Take over equal draws of the part's earlier runs; seconds are then no measure of cost."
    )
    equal_tokens: bool = Field(
        False,
        description="Compare at equal policy tokens: with a mixture, by chance, of the nearest sizes of a baseline.",
    )
    needs: list[str] = Field(
        default_factory=list, description="Models without which this part is left out, which is said."
    )
    notes: list[str] = Field(default_factory=list, description="Sentences shown beside the numbers.")
    strategies: list[Entry] = Field(min_length=1, description="What is compared.")


class Suite(_Closed):
    """Everything that `branchwise evaluate` does in one go."""

    version: Literal[1] = Field(1, description="Version of this format.")
    seed: int = Field(0, ge=0, description="Seed of problems and draws; --seed overrides it.")
    concurrency: int = Field(16, gt=0, description="Problems under way at once.")
    parts: list[Part] = Field(min_length=1, description="The comparisons.")


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a part: one strategy in one variant at one size."""

    strategy: str
    variant: str
    workflow: Path
    settings: tuple[str, ...]
    samples: int | None
    baseline: bool

    @property
    def name(self) -> str:
        """The family and the size."""
        return f"{self.family} {self.size}".strip()

    @property
    def family(self) -> str:
        """The strategy in its variant, whatever the size."""
        return _joined(self.strategy, self.variant)

    @property
    def size(self) -> str:
        """As a table shows it; empty where there is none."""
        return f"N={self.samples}" if self.samples is not None else ""

    def is_measured_by(self, baseline: Trial) -> bool:
        """Whether the baseline has no variants, or is of its variant."""
        return baseline.baseline and baseline.variant in ("", self.variant)


@dataclass(frozen=True, slots=True)
class Pair:
    """A run, and what it is compared with: another one, or what lies between several that differ in size."""

    first: str
    seconds: tuple[str, ...]


def trials_of(part: Part, directory: Path) -> list[Trial]:
    """The runs of a part, in order. ConfigError where two have the same name, or one has no workflow."""
    trials = [trial for entry in part.strategies for trial in _trials(entry, part, directory)]
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise ConfigError(f"part '{part.title}': two strategies have the same name")
    return trials


def pairs_of(trials: list[Trial], equal_tokens: bool = False) -> list[Pair]:
    """For every trial a pair with each of its baselines."""
    pairs = list[Pair]()
    for place, trial in enumerate(trials):
        others = [other for other in (trials[:place] if trial.baseline else trials) if trial.is_measured_by(other)]
        for family in dict.fromkeys(other.family for other in others if other.strategy != trial.strategy):
            sizes = [other for other in others if other.family == family]
            chosen = [other.name for other in sizes if equal_tokens or other.samples == trial.samples]
            pairs += [Pair(trial.name, tuple(chosen))] if chosen else []
    return pairs


def _trials(entry: Entry, part: Part, directory: Path) -> Iterator[Trial]:
    workflow = entry.workflow or part.workflow
    if workflow is None:
        raise ConfigError(f"part '{part.title}': '{entry.name}' has no workflow, and neither has the part")
    sizes: dict[int | None, Settings] = dict(entry.samples.items()) if entry.samples else {None: {}}
    for variant, varied in (entry.variants or {"": {}}).items():
        for size, sized in sizes.items():
            merged = {**entry.settings, **varied, **sized}
            settings = tuple(f"{key}={json.dumps(value)}" for key, value in merged.items())
            yield Trial(entry.name, variant, directory / workflow, settings, size, entry.baseline)


def _joined(strategy: str, variant: str) -> str:
    return f"{strategy}, {variant}" if variant else strategy
