"""Solutions in steps whose first wrong step people marked, in ProcessBench's layout: to measure rewards with.

A line holds ``problem``, ``steps`` (a list of texts), and ``label``: the first wrong step, counted from 0, or -1
where every step is right; optionally ``id``. Other keys are ignored. Zheng et al. 2024, arXiv 2412.06559.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.tasks.lines import Content, Line, read_content


@dataclass(frozen=True, slots=True)
class LabelledSolution:
    """A finished solution and its first wrong step, counted from 0; None where every step is right."""

    id: str
    problem: str
    steps: tuple[str, ...]
    first_error: int | None

    def trajectory(self, separator: str) -> Trajectory:
        """The solution as a policy would have written it, with this text between its steps."""
        ends = [separator] * (len(self.steps) - 1) + [""]
        steps = tuple(Step(text + end) for text, end in zip(self.steps, ends, strict=True))
        return Trajectory(problem(self.problem, self.id), steps, stop=StopReason.ANSWERED)


def read_solutions(path: Path) -> Content[LabelledSolution]:
    """All of a file; ConfigError names file, line and key of the first thing that is wrong."""
    return read_content(path, _solution)


def _solution(line: Line) -> LabelledSolution:
    asked, steps, label = (line.fields[line.first_of((key,))] for key in ("problem", "steps", "label"))
    if not isinstance(asked, str) or not asked.strip():
        raise ConfigError(f"{line.place}: problem must be text and not empty")
    if not (isinstance(steps, list) and steps and all(isinstance(step, str) and step.strip() for step in steps)):
        raise ConfigError(f"{line.place}: steps must be a list of texts, none of them empty")
    return LabelledSolution(line.identity(), asked, tuple(steps), _first_error(line, label, len(steps)))


def _first_error(line: Line, label: Any, count: int) -> int | None:
    if isinstance(label, bool) or not isinstance(label, int) or not -1 <= label < count:
        raise ConfigError(f"{line.place}: label must be a step from 0 to {count - 1}, or -1 for none, not {label!r}")
    return None if label == -1 else label
