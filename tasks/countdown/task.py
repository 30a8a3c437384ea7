"""The Countdown task: seeded problems of the evaluation side, never seen in training, and the check of a solution.

1. ``count`` different puzzles are drawn from the evaluation side of the split; the first n of a longer list are the
   list of n, so a limit only cuts.
2. A problem's message is the puzzle's text, which is what the tiny policy was trained on, less the newline.
3. An answer is the whole solution, if each line follows the grammar and the last one claims the target. It says
   nothing of whether the lines keep the rules. Two solutions are one vote if they have the same equations, in
   whatever order.
4. The key is no text but a check: every line uses numbers at hand, computes right and names what is left, and the
   last result is the target.
5. With ``world``, a search acts the steps out (world.py) instead of only writing them down.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Environment, Grade
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.core.world import World
from branchwise.tasks.countdown.generator import (
    MAX_NUMBERS,
    MIN_NUMBERS,
    Puzzle,
    evaluation_puzzles,
    parse_problem,
)
from branchwise.tasks.countdown.rules import MAX_LINES, Step, follow, parse_step
from branchwise.tasks.countdown.world import Countdown, world

BETWEEN: Final = "; "
"""Stands between the steps of an answer."""
_MAX_CHARACTERS: Final = 2_000
_ENDED: Final = (StopReason.ANSWERED, StopReason.ENVIRONMENT_DONE)


class Options(_Options):
    """Which problems are drawn."""

    kind: Literal["countdown"] = "countdown"
    numbers: int = Field(4, ge=MIN_NUMBERS, le=MAX_NUMBERS, description="Numbers given in each problem.")
    count: int = Field(100, gt=0, le=100_000, description="Number of problems.")
    seed: int | None = Field(None, description="Which problems; default: the run's seed.")
    world: bool = Field(False, description="Act the steps out: each is checked, and its reward is the outcome's.")


class CountdownTask:
    """A fixed list of puzzles; nothing about them is secret but how to solve them."""

    name = "countdown"

    def __init__(self, puzzles: Sequence[Puzzle], world: World | None = None) -> None:
        self._puzzles = {_id_of(puzzle): puzzle for puzzle in puzzles}
        self.world = world

    def problems(self) -> Iterator[Problem]:
        """The problems, in the order in which they were drawn."""
        for problem_id, puzzle in self._puzzles.items():
            metadata = {"numbers": len(puzzle.numbers), "target": puzzle.target}
            yield Problem(problem_id, (user(puzzle.text),), metadata)

    def environment(self, of: Problem) -> Environment:
        """One episode with this problem's puzzle; KeyError for an unknown problem."""
        return Countdown(self._puzzles[of.id])

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """The steps, if all can be read, the last one claims the target and was not cut off."""
        puzzle = parse_problem(trajectory.problem.text)
        if puzzle is None or (trajectory.stop not in _ENDED and not trajectory.text.endswith("\n")):
            return None
        steps = _steps(trajectory.text)
        if not steps or steps[-1].result != puzzle.target:
            return None
        return Answer(BETWEEN.join(step.text for step in steps), BETWEEN.join(sorted(s.equation for s in steps)))

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 for a solution that keeps the rules and ends at the target, else 0; KeyError for an unknown problem."""
        puzzle = self._puzzles[problem_id]
        return Grade(float(solves(puzzle, (answer or "").split(BETWEEN.strip()))))


def solves(puzzle: Puzzle, lines: Sequence[str]) -> bool:
    """Whether these lines keep the rules and the last one's result is the target."""
    last = parse_step(lines[-1]) if 0 < len(lines) <= MAX_LINES else None
    if last is None or last.result != puzzle.target:
        return False
    return None not in follow(puzzle.numbers, lines)


def build(options: Options, *, seed: int = 0) -> CountdownTask:
    """The task; ``seed`` is used where the options set none. ConfigError if there are too few."""
    rng = random.Random(options.seed if options.seed is not None else seed)
    try:
        puzzles = evaluation_puzzles(rng, options.count, options.numbers)
    except ValueError as error:
        raise ConfigError(f"countdown: {error}; ask for fewer problems or more numbers") from error
    return CountdownTask(puzzles, world(options.numbers) if options.world else None)


def _steps(text: str) -> list[Step]:
    """The steps of a solution; none if it is too long or a line can't be read."""
    lines = [line for line in text[: _MAX_CHARACTERS + 1].splitlines() if line.strip()]
    steps = [step for step in map(parse_step, lines) if step is not None]
    return steps if len(steps) == len(lines) <= MAX_LINES and len(text) <= _MAX_CHARACTERS else []


def _id_of(puzzle: Puzzle) -> str:
    return "-".join(map(str, ("countdown", puzzle.target, *puzzle.numbers)))
