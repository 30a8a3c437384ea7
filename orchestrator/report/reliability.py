"""Reliability: of answers to which a reward gave a chance, how many were right: a diagram a run, from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from branchwise.orchestrator.evaluation.calibrating import expected_calibration_error, reliability
from branchwise.orchestrator.evaluation.graded import Sample, graded_answers
from branchwise.orchestrator.report.comparing import ReadRun
from branchwise.orchestrator.report.data import Reliability, ReliabilityBin

MOST_PROBLEMS: Final = 1000
"""Of a run whose answers are read; more say nothing that a diagram shows."""


def reliabilities_of(runs: Sequence[ReadRun]) -> Iterator[Reliability]:
    """A diagram for each run whose reward gives probabilities and whose answers are graded."""
    for run in runs:
        if not any(node.reward for node in run.journal.manifest.nodes.values()):
            continue
        try:
            sample = graded_answers(run.journal, MOST_PROBLEMS)
        except ValueError:  # rewards on different scales: there is no one diagram
            continue
        if sample.scale == "probability":
            yield _diagram(run.name, sample)


def _diagram(strategy: str, sample: Sample) -> Reliability:
    values = [min(1.0, max(0.0, each.value)) for each in sample.answers]
    bins = reliability(values, [each.correct for each in sample.answers])
    return Reliability(
        strategy=strategy,
        bins=tuple(ReliabilityBin(chance=each.chance, correct=each.correct, count=each.count) for each in bins),
        expected_calibration_error=expected_calibration_error(bins) or 0.0,
        problems=len({each.problem_id for each in sample.answers}),
        left_out=sample.left_out,
    )
