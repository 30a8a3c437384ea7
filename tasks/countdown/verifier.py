"""Whether a solution, finished or not, can still reach its target: for the ``rule`` reward.

    reward: {kind: rule, callable: "branchwise.tasks.countdown.verifier:still_reachable", source: oracle}

It looks at public data only, but it solves the problem by exhaustive search, so it knows all that an answer key could
tell: its source is to be declared as ``oracle``.
"""

from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.tasks.countdown.generator import parse_problem
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
    lines = trajectory.text.splitlines()
    if trajectory.terminal:
        return float(solves(puzzle, lines))
    return float(
        all(state is not None and reachable(state, puzzle.target) for state in follow(puzzle.numbers, lines))
    )
