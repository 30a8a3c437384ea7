"""Seeded Countdown problems, and the split that keeps evaluation apart from training.

A problem such as ``37: 3 5 19 25`` asks for 37 from 3, 5, 19 and 25. Each number may be used once and need not be
used; the last line of a solution reaches the target: ``19*3=57: 5 25 57``, ``57-25=32: 5 32``, ``32+5=37: 37``. A
step such as ``5+3=8: 8 19 25`` is valid too, but from there nothing leads to 37.

1. Numbers from 1 to 25 are drawn with repetition, a target from 5 to 100 that is not among them. What an exhaustive
   search can't solve is drawn again.
2. A keyed hash of the problem's text, numbers in rising order, puts it on one side of the split for ever: about nine
   in ten train, the others evaluate. The split is of whole problems: the numbers left after a step of one problem may
   be the numbers of another.
"""

import hashlib
import random
import re
from dataclasses import dataclass
from typing import Final

from branchwise.tasks.countdown.reaching import reachable, reachable_with, steps_needed
from branchwise.tasks.countdown.rules import Numbers, apply, legal_moves, shown, written

MIN_NUMBERS: Final = 3
MAX_NUMBERS: Final = 5
LARGEST: Final = 25
TARGETS: Final = range(5, 101)

_SPLIT_KEY: Final = b"branchwise-countdown-1"
_EVALUATION_SHARE: Final = 10
_MAX_REDRAWS: Final = 10_000
_PROBLEM: Final = re.compile(r"([0-9]{1,6}): ?([0-9]{1,6}(?: [0-9]{1,6}){0,15})")


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A target and the numbers to reach it from, in rising order."""

    target: int
    numbers: Numbers

    @property
    def text(self) -> str:
        """The problem as it is written, such as ``37: 3 5 19 25``."""
        return f"{self.target}: {shown(self.numbers)}"


def generate(rng: random.Random, numbers: int) -> Puzzle:
    """One solvable puzzle from either side of the split; ValueError for fewer than two numbers."""
    if numbers < 2:
        raise ValueError("a puzzle needs at least two numbers")
    while True:
        at_hand = tuple(sorted(rng.randint(1, LARGEST) for _ in range(numbers)))
        target = rng.choice(TARGETS)
        if target not in at_hand and reachable(at_hand, target):
            return Puzzle(target, at_hand)


def is_training(text: str) -> bool:
    """Whether the problem with this text belongs to the training side; the answer never changes."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=_SPLIT_KEY).digest()
    return int.from_bytes(digest, "big") % _EVALUATION_SHARE != 0


def training_puzzle(rng: random.Random, numbers: int) -> Puzzle:
    """One puzzle from the training side; repeats are possible."""
    while not is_training((puzzle := generate(rng, numbers)).text):
        pass
    return puzzle


def evaluation_puzzles(rng: random.Random, count: int, numbers: int) -> list[Puzzle]:
    """`count` different puzzles from the evaluation side; ValueError if there are not that many."""
    found: dict[str, Puzzle] = {}
    misses = 0
    while len(found) < count:
        puzzle = generate(rng, numbers)
        if is_training(puzzle.text) or puzzle.text in found:
            misses += 1
            if misses > _MAX_REDRAWS:
                raise ValueError(f"no {count} different evaluation problems of {numbers} numbers were found")
            continue
        found[puzzle.text], misses = puzzle, 0
    return list(found.values())


def parse_problem(text: str) -> Puzzle | None:
    """The puzzle behind a problem's text, or None if it is not one."""
    match = _PROBLEM.fullmatch(text.strip())
    if match is None:
        return None
    return Puzzle(int(match[1]), tuple(sorted(map(int, match[2].split()))))


def shortest_solution(rng: random.Random, puzzle: Puzzle) -> tuple[str, ...]:
    """The steps of one of the shortest solutions, each move drawn evenly from those that lead to one.

    ValueError if there is no solution.
    """
    needed = steps_needed(puzzle.numbers, puzzle.target)
    if needed is None:
        raise ValueError("this puzzle has no solution")
    numbers, lines = puzzle.numbers, []
    for size in range(needed, 0, -1):
        moves = [move for move in legal_moves(numbers) if reachable_with(apply(numbers, move), size, puzzle.target)]
        move = rng.choice(moves)
        lines.append(written(numbers, move))
        numbers = apply(numbers, move)
    return tuple(lines)
