"""`branchwise evaluate`: a suite of strategies on the same problems, ending in a table and a page a part.

1. Everything is read and checked: suite, workflows, tasks, models. Nothing is spent before all of it is right.
2. Each strategy is a run of its own, in its own directory; equal draws are taken over from the part's earlier
   runs. A suite that was stopped goes on where it was when it is given the same --out.
3. Table, paired comparisons and page are read from the journals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import uvloop

from branchwise.orchestrator.commands.preparing import loaded_from, portable, predicted, task_of
from branchwise.orchestrator.commands.reporting import created_now, show_table, warn, write_page
from branchwise.orchestrator.commands.run import fresh_directory, solve_into
from branchwise.orchestrator.commands.summary import summary_of
from branchwise.orchestrator.core.errors import ConfigError, JournalError, Suspended
from branchwise.orchestrator.core.roles import Task
from branchwise.orchestrator.evaluation.suite import Part, Suite, Trial, pairs_of, trials_of
from branchwise.orchestrator.report.collect import Label, collect
from branchwise.orchestrator.report.data import Report
from branchwise.orchestrator.report.matrix import Place, matrix
from branchwise.orchestrator.session import Settings
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.yaml_file import read_yaml, validated

TREES = 4


@dataclass(frozen=True, slots=True)
class Prepared:
    """One part, read and checked."""

    part: Part
    task: Task
    limit: int
    trials: list[Trial]
    workflows: list[Loaded]
    directory: Path

    def runs(self) -> list[Path]:
        """A run directory a trial."""
        return [self.directory / _slug(trial.name) for trial in self.trials]


def evaluate(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run a suite, or go on with it."""
    path: Path = arguments.suite
    data, lines = read_yaml(path)
    suite = validated(Suite, data, environment, str(path), lines)
    seed: int = suite.seed if arguments.seed is None else arguments.seed
    out: Path = arguments.out or fresh_directory(path.stem)
    prepared = [
        _prepared(part, path.parent, out / f"{number}-{_slug(part.title)}", seed, arguments.limit, environment)
        for number, part in enumerate(suite.parts, 1)
        if number in (arguments.part or (number,)) and _at_hand(part, environment)
    ]
    if not prepared:
        raise ConfigError(f"{path}: no part of the suite can run here")
    if arguments.markdown is not None and not arguments.markdown.parent.is_dir():
        raise ConfigError(f"--markdown {arguments.markdown}: there is no such folder")
    reports = []
    for one in prepared:
        _run(one, seed, suite.concurrency, out)
        reports.append(_report(one, f"branchwise evaluate {path} --seed {seed}"))
        if not arguments.json:
            show_table(reports[-1])
        warn(reports[-1])
        page = one.directory.with_suffix(".html")
        write_page(reports[-1], page)
        print(f"Report: {page}", file=sys.stderr if arguments.json else sys.stdout)
    if arguments.markdown is not None:
        arguments.markdown.write_text("\n".join(map(_markdown, reports, prepared)), encoding="utf-8")
    if arguments.json:
        print(json.dumps({"run_directory": str(out), "seed": seed, "parts": [_as_json(r) for r in reports]}))
    return 0


def _at_hand(part: Part, environment: Mapping[str, str]) -> bool:
    """False, and said, where a model that the part needs was never pulled."""
    from branchwise.orchestrator.backends.catalogue import default_cache, list_models

    present = {model.name for model in list_models(default_cache(environment)) if model.present}
    missing = [name for name in part.needs if name not in present]
    for name in missing:
        print(f"left out: '{part.title}' needs {name} (branchwise models pull {name})", file=sys.stderr)
    return not missing


def _prepared(
    part: Part, beside: Path, directory: Path, seed: int, limit: int | None, environment: Mapping[str, str]
) -> Prepared:
    trials, count = trials_of(part, beside), min(limit or part.limit, part.limit)
    task = task_of(part.task, count, seed)
    workflows = [loaded_from(trial.workflow, environment, trial.settings) for trial in trials]
    for loaded in workflows:
        predicted(loaded, task, ())
    return Prepared(part, task, count, trials, workflows, directory)


def _run(one: Prepared, seed: int, concurrency: int, out: Path) -> None:
    """All trials of a part, one after the other."""
    done: list[Path] = []
    for trial, loaded, directory in zip(one.trials, one.workflows, one.runs(), strict=True):
        settings = Settings(
            seed=seed,
            concurrency=concurrency,
            out=directory,
            reuse=tuple(done) if one.part.share_draws else (),
            limit=one.limit,
            task_name=portable(one.part.task),
            problem_count=one.limit,
        )
        try:
            uvloop.run(solve_into(loaded, one.task, settings, f"{one.part.title}: {trial.name}"))
        except (Suspended, JournalError, asyncio.CancelledError, KeyboardInterrupt) as stopped:
            way = f"go on by giving the same command --out {out}"
            kind = JournalError if type(stopped) is JournalError else Suspended
            raise kind(f"{stopped or 'stopped'}; what was paid for is kept: {way}") from None
        done.append(directory)


def _report(one: Prepared, command: str) -> Report:
    labels = [Label(trial.name, trial.family, trial.samples, trial.baseline) for trial in one.trials]
    report = collect(one.runs(), created_now(), TREES, labels, pairs_of(one.trials, one.part.equal_tokens))
    return report.model_copy(
        update={"title": one.part.title, "notes": (*report.notes, *one.part.notes), "command": command}
    )


def _markdown(report: Report, one: Prepared) -> str:
    return matrix(report, {trial.name: _place(trial, one.part.equal_tokens) for trial in one.trials})


def _place(trial: Trial, equal_tokens: bool) -> Place:
    """A row a strategy, a column a variant or a size; where sizes are there to be matched, they are rows, too."""
    if equal_tokens:
        return Place(f"{trial.strategy} {trial.size}".strip(), trial.variant or "alone", trial.strategy)
    return Place(trial.strategy, f"{trial.variant} {trial.size}".strip() or "alone", trial.strategy)


def _as_json(report: Report) -> dict[str, object]:
    return {
        "title": report.title,
        "task": report.task,
        "strategies": [{"name": one.name} | summary_of(report, one) for one in report.strategies],
        "comparisons": [one.model_dump(mode="json") for one in report.comparisons],
    }


def _slug(text: str) -> str:
    words = "".join(char.lower() if char.isalnum() else " " for char in text).split()
    return "-".join(words)
