"""Whether a solution, finished or not, can still reach its target: for the ``rule`` reward.

    reward: {kind: rule, callable: "branchwise.tasks.countdown.verifier:still_reachable", source: oracle}

It looks at public data only, but it solves the problem by exhaustive search, so it knows all that an answer key could
tell: its source is to be declared as ``oracle``.
"""

from collections.abc import Sequence

from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.tasks.countdown.generator import Puzzle, parse_problem
from branchwise.tasks.countdown.reaching import reachable
from branchwise.tasks.countdown.rules import follow
from branchwise.tasks.countdown.task import solves


def still_reachable(trajectory: Trajectory) -> float:
    """1 if every line keeps the rules and the target can be reached (once it has ended: was reached), else 0.

    ValueError for a problem that is no puzzle.
    """
    puzzle = parse_problem(trajectory.problem.text)
    if puzzle is None:
        raise ValueError("not a Countdown problem")
    lines = [line for line in trajectory.text.splitlines() if line.strip()]
    return float(solves(puzzle, lines) if trajectory.terminal else all(within_reach(puzzle, lines)))


def within_reach(puzzle: Puzzle, lines: Sequence[str]) -> tuple[bool, ...]:
    """For each line: whether all up to it keep the rules and the target can be reached from what it leaves."""
    states = follow(puzzle.numbers, lines)
    return tuple(state is not None and reachable(state, puzzle.target) for state in states)
