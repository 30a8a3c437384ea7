"""Training texts of the Countdown models: puzzles with solutions, and which of both sides of the split is used.

1. Puzzles of 3, 4 and 5 numbers from the training side, most of them of 4; what remains of one after a step is a
   smaller one.
2. The policy learns one of the shortest solutions of each, every move drawn evenly from those that lead to one.
"""

import random
from collections.abc import Iterator, Sequence

from branchwise.tasks.countdown.generator import Puzzle, shortest_solution, training_puzzle
from examples.training.batches import IGNORED, POOL, Batch, Row, grouped, stack
from examples.training.vocabulary import COUNTDOWN, EOS

NUMBERS = (3, 3, 4, 4, 4, 5)
"""How many numbers a training puzzle has: each of these equally often."""


def policy_row(puzzle: Puzzle, lines: Sequence[str]) -> Row:
    """Problem, newline, steps, end of sequence; the targets begin after the problem's newline."""
    prompt, solution = COUNTDOWN.encode(puzzle.text + "\n"), [*COUNTDOWN.encode("\n".join(lines)), EOS]
    tokens = [*prompt, *solution[:-1]]
    return Row(tokens, [IGNORED] * (len(prompt) - 1) + solution, [0.0] * len(tokens))


def solved_row(rng: random.Random, numbers: int) -> Row:
    """A training-side puzzle with one of its shortest solutions."""
    puzzle = training_puzzle(rng, numbers)
    return policy_row(puzzle, shortest_solution(rng, puzzle))


def policy_batches(rng: random.Random, size: int) -> Iterator[Batch]:
    """Endless batches of solved training-side puzzles."""
    while True:
        yield from grouped(rng, [solved_row(rng, rng.choice(NUMBERS)) for _ in range(size * POOL)], size, stack)
