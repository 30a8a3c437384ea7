"""Suite: which strategies are held against each other, on which problems, at which sizes. Written as YAML.

A part of a suite is one comparison: every strategy solves the same problems with the same seed, and the same
draw is never paid for twice within a part. A strategy with ``samples`` runs once a size.
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

    name: str = Field(description="Shown in tables; with samples, N=... is added.")
    workflow: Path = Field(description="Workflow file, relative to the suite's.")
    settings: Settings = Field(default_factory=dict, alias="set", description="Keys such as nodes.search.select.")
    samples: dict[int, Settings] = Field(default_factory=dict, description="Number of samples -> what to set for it.")
    baseline: bool = Field(False, description="Others of the same size are compared with it, in pairs.")


class Part(_Closed):
    """One comparison over one task."""

    title: str = Field(description="Heading of its table and page.")
    task: str = Field(description="KIND[:ARGS] or FILE.jsonl, as for --tasks.")
    limit: int = Field(gt=0, description="Problems.")
    share_draws: bool = Field(
        True, description="Take over equal draws of the part's earlier runs; seconds are then no measure of cost."
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
    """One run of a part: one strategy at one size."""

    name: str
    family: str
    workflow: Path
    settings: tuple[str, ...]
    samples: int | None
    baseline: bool


def trials_of(part: Part, directory: Path) -> list[Trial]:
    """The runs of a part, in order. ConfigError where two have the same name."""
    trials = [trial for entry in part.strategies for trial in _trials(entry, directory)]
    names = [trial.name for trial in trials]
    if len(set(names)) < len(names):
        raise ConfigError(f"part '{part.title}': two strategies have the same name")
    return trials


def pairs_of(trials: list[Trial]) -> list[tuple[str, str]]:
    """(other, baseline) for every trial that has a baseline of its size."""
    baselines = {trial.samples: trial.name for trial in trials if trial.baseline}
    return [(t.name, baselines[t.samples]) for t in trials if not t.baseline and t.samples in baselines]


def _trials(entry: Entry, directory: Path) -> Iterator[Trial]:
    sizes: dict[int | None, Settings] = dict(entry.samples.items()) if entry.samples else {None: {}}
    for size, settings in sizes.items():
        merged = tuple(f"{key}={json.dumps(value)}" for key, value in {**entry.settings, **settings}.items())
        name = entry.name if size is None else f"{entry.name} N={size}"
        yield Trial(name, entry.name, directory / entry.workflow, merged, size, entry.baseline)
