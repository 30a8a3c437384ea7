"""`branchwise calibrate`: from graded runs to the curve from a reward's value to the chance of being right.

1. Read every judged and graded answer of the runs, which have to have the same reward over the same models.
2. Fit a curve to them. It is refused where the reward tells right answers from wrong ones by chance only, or wrongly.
3. Write it with the identity of the reward; the reward `calibrated` applies it.
4. Show the expected calibration error before and after, also on problems that the curve was not fitted to.

Nothing is run. What is fitted to one policy's answers holds for such answers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchwise.orchestrator.core.calibration import Calibration, Curve
from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.options import JudgingOptions, needs_of_part
from branchwise.orchestrator.evaluation.calibrating import (
    Graded,
    Method,
    area_under_roc,
    expected_calibration_error,
    fitted,
    gain,
    reliability,
)
from branchwise.orchestrator.evaluation.graded import graded_answers
from branchwise.orchestrator.journal.manifest import Manifest
from branchwise.orchestrator.journal.reader import recorded
from branchwise.orchestrator.workflow.load import read_workflow
from branchwise.orchestrator.workflow.spec import SearchNode


@dataclass(frozen=True, slots=True)
class Whose:
    """A reward as the workflow has it, and the identities of its models."""

    reward: dict[str, Any]
    models: dict[str, dict[str, str | bool | None]]


@dataclass(frozen=True, slots=True)
class Read:
    """What the runs tell: whose values, on which scale, of which answers; ``left_out`` are of unknown grade."""

    whose: Whose
    scale: Scale
    graded: tuple[Graded, ...]
    left_out: int

    @property
    def problems(self) -> list[str]:
        """The problems that the answers are to."""
        return sorted({each.problem_id for each in self.graded})


def calibrate(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Fit, write the calibration, and show what it mends."""
    out: Path = arguments.out
    if out.exists():
        raise ConfigError(f"--out {out}: this is there already")
    read = _read(arguments.directories, environment)
    calibration = _fitted(arguments.method, read)
    try:
        out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror or error}") from error
    errors = _errors(arguments.method, read, calibration)
    if arguments.json:
        counts = {"answers": calibration.answers, "problems": calibration.problems, "left_out": read.left_out}
        print(json.dumps({**counts, "curve": calibration.curve.model_dump(), "expected_calibration_error": errors}))
    else:
        print("\n".join(_lines(calibration, errors, read.left_out)))
    print(f"Calibration: {out}", file=sys.stderr)
    return 0


def _fitted(method: Method, read: Read) -> Calibration:
    try:
        curve = fitted(method, read.graded, read.scale)
    except ValueError as error:
        raise ConfigError(f"{error}, and there are {len(read.graded)} graded answers of one sort") from None
    _refuse_falling(curve, read)
    return Calibration(
        curve=curve,
        scale=read.scale,
        reward=read.whose.reward,
        models=read.whose.models,
        answers=len(read.graded),
        problems=len(read.problems),
    )


def _refuse_falling(curve: Curve, read: Read) -> None:
    """ConfigError where the reward tells right answers from wrong ones by chance only, or the wrong way round."""
    area, gained = area_under_roc(read.graded), gain(curve, read.graded, read.scale)
    if area <= 0.5 or gained <= 0:
        raise ConfigError(
            f"of a right answer and a wrong one the right one has the higher value in {100 * area:.1f} % of pairs, "
            f"and from the lowest value to the highest the fitted chance changes by {gained:+.4f}: a curve that does "
            "not rise is not written. Grade more answers, or mend the reward (its labels, its column, its sign)"
        )


def _read(directories: Sequence[Path], environment: Mapping[str, str]) -> Read:
    """The graded answers of the runs. ConfigError where their rewards are not the same, or there is none."""
    whose, graded, scales, left_out = list[Whose](), list[Graded](), list[Scale](), 0
    for directory in directories:
        with recorded(directory) as journal:
            whose.append(_whose(directory, journal.manifest, environment))
            if whose[-1] != whose[0]:
                raise ConfigError(f"{directory}: its reward, or a model of it, is not that of {directories[0]}")
            try:
                sample = graded_answers(journal)
            except ValueError as error:
                raise ConfigError(f"{directory}: {error}") from None
        graded += sample.answers
        left_out += sample.left_out
        scales += [sample.scale] if sample.scale is not None else []
    if not scales:
        raise ConfigError("no answer in these runs is both judged and graded")
    return Read(whose[0], scales[0], tuple(graded), left_out)


def _whose(directory: Path, manifest: Manifest, environment: Mapping[str, str]) -> Whose:
    """The one reward of a run, and the identities of its models."""
    plan: Any = manifest.plan
    workflow = read_workflow(plan, environment, Path(manifest.directory), manifest.source).workflow
    nodes = [node for node in workflow.nodes.values() if isinstance(node, SearchNode)]
    rewards: list[JudgingOptions] = [node.reward for node in nodes if node.reward is not None]
    if len(rewards) != 1:
        raise ConfigError(f"{directory}: {len(rewards)} of its searches have a reward; a calibration is that of one")
    if rewards[0].kind == "calibrated":
        raise ConfigError(f"{directory}: its reward is calibrated already; run the reward in it by itself")
    models = {name: manifest.models[name] for name in needs_of_part(rewards[0]) if name in manifest.models}
    return Whose(rewards[0].model_dump(mode="json"), models)


def _errors(method: Method, read: Read, calibration: Calibration) -> dict[str, float | None]:
    """The expected calibration error before, after, and after on each half of the problems by the other's curve."""
    graded, before = read.graded, None
    if read.scale == "probability":
        before = _error([min(1.0, max(0.0, each.value)) for each in graded], graded)
    after = _error([calibration.chance(each.value) for each in graded], graded)
    return {"before": before, "after": after, "held_out": _held_out(method, read)}


def _held_out(method: Method, read: Read) -> float | None:
    """On each half of the problems by the curve of the other one; None where a half is all right, or all wrong."""
    sides = [set(read.problems[k::2]) for k in (0, 1)]
    halves = [[each for each in read.graded if each.problem_id in side] for side in sides]
    chances = list[float]()
    for half, other in zip(halves, halves[::-1], strict=True):
        try:
            curve = fitted(method, other, read.scale)
        except ValueError:
            return None
        chances += [curve.chance(each.value, read.scale) for each in half]
    return _error(chances, [each for half in halves for each in half])


def _error(chances: Sequence[float], graded: Sequence[Graded]) -> float | None:
    return expected_calibration_error(reliability(chances, [each.correct for each in graded]))


def _lines(calibration: Calibration, errors: Mapping[str, float | None], left_out: int) -> list[str]:
    shown = {key: "-" if error is None else f"{error:.4f}" for key, error in errors.items()}
    unknown = f", {left_out} of unknown grade left out" if left_out else ""
    return [
        f"{calibration.answers} answers to {calibration.problems} problems{unknown}",
        f"{calibration.curve.method}: {_parameters(calibration)}",
        "",
        "expected calibration error",
        f"  before                       {shown['before']}",
        f"  after, on the same answers   {shown['after']}",
        f"  after, on held-out problems  {shown['held_out']}",
    ]


def _parameters(calibration: Calibration) -> str:
    values = calibration.curve.model_dump(exclude={"method"})
    shown = {
        key: f"{value:.4g}" if isinstance(value, float) else f"{len(value)} points" for key, value in values.items()
    }
    return ", ".join(f"{key} {value}" for key, value in shown.items() if key != "chances")
