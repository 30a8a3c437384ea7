"""Training texts of the Countdown value model: lines of play, and whether each leaves the target within reach.

A line is labelled by exhaustive search, as the problem's newline is: `+` within reach, `-` not. Three sources:

1. The policy's own solutions of training-side puzzles: its choices, and its mistakes.
2. Random play: each move drawn from all legal ones, or from the shortest solutions, with a chance drawn for the text;
   at times a digit is spoilt. It ends a line after the target has gone out of reach.
3. The same from the middle of a game: what is left after some moves, as a problem of its own that may have no
   solution. These are short, and so many; what is a problem of the evaluation side is left out.

A label says one bit about a whole line, which is little. So the characters of lines that keep the target within reach
are learned too, as the policy learned them.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from branchwise.tasks.countdown.generator import MIN_NUMBERS, Puzzle, is_training, shortest_solution, training_puzzle
from branchwise.tasks.countdown.reaching import reachable
from branchwise.tasks.countdown.rules import Numbers, apply, legal_moves, parse_step, written
from branchwise.tasks.countdown.verifier import within_reach
from examples.training.batches import IGNORED, NEGATIVE, POOL, POSITIVE, Batch, Row, grouped, stack
from examples.training.countdown_rows import NUMBERS
from examples.training.vocabulary import COUNTDOWN

CARES = (0.0, 0.5, 0.8)
"""Chances that a move of random play is one of a shortest solution."""
SPOILT_SHARE = 0.05
GO_ON_SHARE = 0.2
OWN_SHARE = 0.4
BEGUN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Play:
    """A puzzle, solvable or not, and what was written."""

    puzzle: Puzzle
    lines: tuple[str, ...]


def value_row(play: Play) -> Row:
    """The target at a newline is `+` or `-`; inside a line that is within reach, the next character."""
    puzzle = play.puzzle
    tokens = COUNTDOWN.encode(puzzle.text + "\n")
    targets = [IGNORED] * (len(tokens) - 1) + [_label(reachable(puzzle.numbers, puzzle.target))]
    for line, good in zip(play.lines, within_reach(puzzle, play.lines), strict=True):
        characters = COUNTDOWN.encode(line + "\n")
        tokens += characters
        targets += (characters[1:] if good else [IGNORED] * (len(characters) - 1)) + [_label(good)]
    return Row(tokens, targets, [float(target == POSITIVE) for target in targets])


def random_play(rng: random.Random, puzzle: Puzzle) -> Play:
    """Lines of moves, legal but for a spoilt last one, to the target or until it is out of reach."""
    care, numbers, target, lines = rng.choice(CARES), puzzle.numbers, puzzle.target, list[str]()
    while target not in numbers and len(numbers) > 1:
        within = reachable(numbers, target)
        if not within and rng.random() > GO_ON_SHARE:
            break
        lines.append(_line(rng, numbers, target, careful=within and rng.random() < care))
        if rng.random() < SPOILT_SHARE:
            lines[-1] = _spoilt(rng, lines[-1])
            break
        step = parse_step(lines[-1])
        assert step is not None
        numbers = step.left
    return Play(puzzle, tuple(lines))


def begun(rng: random.Random, puzzle: Puzzle) -> Puzzle | None:
    """What random moves leave of a puzzle, three numbers or more; None for what is not to be trained on."""
    numbers = puzzle.numbers
    for _ in range(rng.randint(1, max(1, len(numbers) - MIN_NUMBERS))):
        numbers = apply(numbers, rng.choice(legal_moves(numbers)))
    left = Puzzle(puzzle.target, numbers)
    fits = len(numbers) >= MIN_NUMBERS and left.target not in numbers and is_training(left.text)
    return left if fits else None


def drawn(rng: random.Random) -> Play:
    """A text of random play, from the start or from the middle of a game."""
    puzzle = training_puzzle(rng, rng.choice(NUMBERS))
    if rng.random() < BEGUN_SHARE:
        puzzle = begun(rng, puzzle) or puzzle
    return random_play(rng, puzzle)


def value_batches(rng: random.Random, own: Sequence[Row], size: int) -> Iterator[Batch]:
    """Endless batches of random play and of the policy's own solutions."""
    while True:
        count = round(size * POOL * OWN_SHARE) if own else 0
        rows = rng.choices(own or [], k=count) + [value_row(drawn(rng)) for _ in range(size * POOL - count)]
        yield from grouped(rng, rows, size, stack)


def _label(good: bool) -> int:
    return POSITIVE if good else NEGATIVE


def _line(rng: random.Random, numbers: Numbers, target: int, careful: bool) -> str:
    if careful:
        return shortest_solution(rng, Puzzle(target, numbers))[0]
    return written(numbers, rng.choice(legal_moves(numbers)))


def _spoilt(rng: random.Random, line: str) -> str:
    place = rng.choice([place for place, character in enumerate(line) if character.isdigit()])
    return line[:place] + rng.choice("0123456789".replace(line[place], "")) + line[place + 1 :]
