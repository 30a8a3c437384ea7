"""`branchwise measure`: how well a workflow's reward finds the first wrong step of solutions that people marked.

1. The reward of a search node is built as a run would build it, and scores every solution of the file. Calls are
   journalled, limited, retried and charged as in a run: with --out, what is interrupted goes on where it stopped.
2. The threshold is given; or chosen on a share of the solutions, drawn by the seed, and measured on the others.
3. A solution that could not be scored is counted as failed, and is in no share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import uvloop

from branchwise.orchestrator.commands.interrupting import interruptible
from branchwise.orchestrator.commands.preparing import workflow_of
from branchwise.orchestrator.core.errors import BoundaryError, BudgetRefused, ConfigError, Suspended
from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.core.roles import RewardModel
from branchwise.orchestrator.core.scope import scope
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.core.together import bare, together
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.engine.episode import Episode
from branchwise.orchestrator.evaluation.first_error import (
    Located,
    best_threshold,
    detection,
    f1_interval,
    weakest_last_share,
)
from branchwise.orchestrator.evaluation.statistics import Interval, wilson
from branchwise.orchestrator.rewards.wrapping import scale_of
from branchwise.orchestrator.session import Session, Settings, as_task, open_session
from branchwise.orchestrator.workflow.compile import built
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.spec import SearchNode, Workflow
from branchwise.orchestrator.workflow.yaml_file import written_at
from branchwise.tasks.labelled_steps import LabelledSolution, read_solutions

HALF = 0.5
"""The threshold for probabilities where none is given."""
MOST_TRIED = 200
"""Thresholds tried at most when one is chosen."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: how often of how many, and its 95 % interval."""

    name: str
    count: int
    share: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out: the threshold and how it was come by, the table, and what failed with how often."""

    node: str
    reward: str
    threshold: float
    chosen_on: int
    rows: tuple[Row, ...]
    failed: Mapping[str, int]


def measure(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Score, measure, show. ConfigError where the reward gives no values that could be measured."""
    loaded = workflow_of(arguments, environment)
    name, node = _node(loaded.workflow, arguments.node)
    solutions = read_solutions(arguments.steps).rows[: arguments.limit]
    _refuse_early(loaded, name, solutions, arguments)
    separator = getattr(node.policy, "step_separator", None) or "\n\n"
    trajectories = [solution.trajectory(separator) for solution in solutions]
    settings = Settings(
        arguments.seed, arguments.concurrency, arguments.out, task_name=str(arguments.steps.absolute())
    )
    judgements = uvloop.run(_judged(loaded, name, trajectories, settings))
    measured = _measured(name, node, solutions, judgements, arguments)
    print(json.dumps(_as_json(measured)) if arguments.json else "\n".join(_lines(measured)))
    return 0


def _node(workflow: Workflow, name: str | None) -> tuple[str, SearchNode]:
    judging = {key: node for key, node in workflow.nodes.items() if isinstance(node, SearchNode) and node.reward}
    if name is None and len(judging) == 1:
        return next(iter(judging.items()))
    if name in judging:
        return name, judging[name]
    if not judging:
        raise ConfigError("no search node of the workflow has a reward")
    raise ConfigError(f"--node {name or '...'}: name one with a reward{suggestion(name or '', list(judging))}")


def _refuse_early(
    loaded: Loaded, name: str, solutions: Sequence[LabelledSolution], arguments: argparse.Namespace
) -> None:
    """ConfigError, before anything is spent, for what would be refused if all solutions were scored."""
    reward: Any = loaded.workflow.nodes[name].reward  # type: ignore[union-attr]
    if not reward.scores_steps:
        place = written_at(("nodes", name, "reward"), loaded.source, loaded.lines)
        raise ConfigError(f"{place}: {reward.kind} gives one value for the whole, and none for each step")
    as_if_scored = [Located((HALF,), each.first_error) for each in solutions]
    chosen_on, _ = _set_apart(as_if_scored, arguments.fit, arguments.seed)
    _threshold(chosen_on, arguments.threshold, {scale_of(reward)})


async def _judged(
    loaded: Loaded, node: str, trajectories: Sequence[Trajectory], settings: Settings
) -> list[Judgement]:
    """What the node's reward makes of the trajectories, as many at once as the settings say."""
    task = as_task([each.problem for each in trajectories])
    places = asyncio.Semaphore(settings.concurrency)
    async with open_session(loaded, task, settings) as session:
        options: Any = loaded.workflow.nodes[node].reward  # type: ignore[union-attr]
        reward: RewardModel = built(loaded, ("nodes", node, "reward"), "reward", options, session.parts())

        async def one(trajectory: Trajectory) -> Judgement:
            async with places:
                return await _score(reward, node, trajectory, session)

        with interruptible(session.run, lambda message: None):
            try:
                return await together([one(each) for each in trajectories])
            except asyncio.CancelledError:
                raise Suspended("stopped at once; with --out, the same command goes on from here") from None


async def _score(reward: RewardModel, node: str, trajectory: Trajectory, session: Session) -> Judgement:
    account = Episode(session.run, trajectory.problem).account
    try:
        with scope(run=session.run.id, problem_id=trajectory.problem.id, node=node, role="verifier", account=account):
            (judgement,) = await bare(reward.score([trajectory]))
    except (BoundaryError, BudgetRefused) as error:
        return failed(str(error), reward.source)
    if judgement.failure is None and len(judgement.step_values) not in (0, len(trajectory.steps)):
        return failed(f"{len(judgement.step_values)} step values for {len(trajectory.steps)} steps", reward.source)
    return judgement


def _measured(
    name: str,
    node: SearchNode,
    solutions: Sequence[LabelledSolution],
    judgements: Sequence[Judgement],
    arguments: argparse.Namespace,
) -> Measured:
    pairs = list(zip(solutions, judgements, strict=True))
    located = [Located(each.step_values, one.first_error) for one, each in pairs if each.step_values]
    lost = Counter(_why(each) for each in judgements if not each.step_values)
    kind = node.reward.kind if node.reward else ""
    if not located:
        raise ConfigError(f"nodes.{name}.reward: {kind} gave no step values: {lost.most_common(1)[0][0]}")
    chosen_on, rest = _set_apart(located, arguments.fit, arguments.seed)
    threshold = _threshold(chosen_on, arguments.threshold, {each.scale for each in judgements if each.step_values})
    return Measured(name, kind, threshold, len(chosen_on), _rows(rest, threshold, arguments.seed), dict(lost))


def _why(judgement: Judgement) -> str:
    return judgement.failure.message if judgement.failure else "a value for the whole only"


def _set_apart(located: list[Located], share: float | None, seed: int) -> tuple[list[Located], list[Located]]:
    """The solutions that the threshold is chosen on, and the others. ConfigError where there are none of either."""
    if share is None:
        return [], located
    shuffled = Random(seed).sample(located, len(located))
    count = round(share * len(located))
    if count in (0, len(located)):
        what = "measure on" if count else "choose on"
        raise ConfigError(f"--fit {share:g} of {len(located)} solutions with step values leaves none to {what}")
    return shuffled[:count], shuffled[count:]


def _threshold(chosen_on: list[Located], given: float | None, scales: set[str]) -> float:
    if given is not None:
        return given
    if chosen_on:
        try:
            return best_threshold(chosen_on, _between_scores(chosen_on))
        except ValueError as error:
            raise ConfigError(f"--fit: {error}") from None
    if scales != {"probability"}:
        raise ConfigError(f"step values on the scale {'/'.join(sorted(scales))} need --threshold or --fit")
    return HALF


def _between_scores(located: list[Located]) -> list[float]:
    """Thresholds half-way between scores that follow each other; the score itself where there is one only."""
    scores = sorted({score for each in located for score in each.scores})
    middles = [(low + high) / 2 for low, high in pairwise(scores)] or scores
    return middles[:: 1 + len(middles) // MOST_TRIED]


def _rows(located: list[Located], threshold: float, seed: int) -> tuple[Row, ...]:
    found = detection(located, threshold)
    several = [each.scores for each in located if len(each.scores) > 1]
    drift = weakest_last_share(several)
    return (
        _row("first error found", found.erroneous, found.on_erroneous),
        _row("no error, none found", found.correct, found.on_correct),
        Row("F1", len(located), found.f1, f1_interval(found, Random(seed))),
        _row("weakest step is the last", len(several), drift),
    )


def _row(name: str, count: int, share: float | None) -> Row:
    return Row(name, count, share, None if share is None else wilson(round(share * count), count))


def _lines(measured: Measured) -> list[str]:
    how = f"chosen on {measured.chosen_on} solutions set apart" if measured.chosen_on else "given"
    lines = [f"{measured.reward} of node {measured.node}; threshold {measured.threshold:.4g}, {how}", ""]
    lines.append(f"{'':26}{'n':>6}  {'share':>7}  95 %")
    lines += [
        f"{row.name:26}{row.count:>6}  {_percent(row.share):>7}  {_between(row.interval)}" for row in measured.rows
    ]
    lines += [f"failed: {count} ({message})" for message, count in measured.failed.items()]
    return [line.rstrip() for line in lines]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _between(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"


def _as_json(measured: Measured) -> dict[str, Any]:
    return {
        "node": measured.node,
        "reward": measured.reward,
        "threshold": measured.threshold,
        "chosen_on": measured.chosen_on,
        "failed": measured.failed,
        "rows": {
            row.name: {
                "n": row.count,
                "share": row.share,
                "interval": [row.interval.low, row.interval.high] if row.interval else None,
            }
            for row in measured.rows
        },
    }
