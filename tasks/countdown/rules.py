"""The rules of Countdown: what may be done with the numbers at hand, and how a step is written.

A move takes two of the numbers at hand and puts their sum, difference, product or quotient in their place. Only
whole positive results are allowed, so a difference needs the larger number first and a quotient must be exact. The
state is the sorted tuple of the numbers at hand, and it is all that matters for what can still be reached.

A step is one line, the move and the numbers that it leaves: from 3, 5, 19 and 25, ``19*3=57: 5 25 57``. Text written
by a model is only ever matched against regular expressions with bounded digits, never evaluated.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal, cast

Operator = Literal["+", "-", "*", "/"]
Numbers = tuple[int, ...]
"""The numbers at hand, in rising order."""

OPERATORS: Final[tuple[Operator, ...]] = ("+", "-", "*", "/")
MAX_LINES: Final = 15

_NUMBER: Final = "[0-9]{1,12}"
_MOVE: Final = rf"({_NUMBER}) ?([-+*/]) ?({_NUMBER})"
_STEP: Final = re.compile(rf"{_MOVE} ?= ?({_NUMBER}) ?: ?({_NUMBER}(?: {_NUMBER}){{0,{MAX_LINES}}})")


@dataclass(frozen=True, slots=True)
class Move:
    """Two numbers and what is done with them; ``result`` says whether the rules allow it."""

    left: int
    operator: Operator
    right: int

    @property
    def result(self) -> int | None:
        """What comes out; None where that would be no whole positive number."""
        match self.operator:
            case "+":
                found = self.left + self.right
            case "*":
                found = self.left * self.right
            case "-":
                found = self.left - self.right
            case "/":
                found = 0 if self.right == 0 or self.left % self.right else self.left // self.right
        return found if found > 0 else None

    @property
    def text(self) -> str:
        """The equation, such as ``19*3=57``."""
        return f"{self.left}{self.operator}{self.right}={self.result}"


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it was written; nothing says yet that it keeps the rules."""

    move: Move
    result: int
    left: Numbers

    @property
    def equation(self) -> str:
        """The equation as it was written."""
        return f"{self.move.left}{self.move.operator}{self.move.right}={self.result}"

    @property
    def text(self) -> str:
        """The step in its one spelling."""
        return f"{self.equation}: {shown(self.left)}"


def shown(numbers: Iterable[int]) -> str:
    """The numbers in rising order with a space between them: also the name of the state."""
    return " ".join(map(str, sorted(numbers)))


def legal_moves(numbers: Sequence[int]) -> tuple[Move, ...]:
    """Every different move that the numbers at hand allow, the larger number first."""
    pairs = sorted({(max(pair), min(pair)) for pair in combinations(numbers, 2)})
    moves = (Move(high, operator, low) for high, low in pairs for operator in OPERATORS)
    return tuple(move for move in moves if move.result is not None)


def apply(numbers: Sequence[int], move: Move) -> Numbers:
    """The numbers at hand after a move; ValueError if they don't allow it."""
    left, result = list(numbers), move.result
    if result is None:
        raise ValueError(f"{move.left}{move.operator}{move.right} is no whole positive number")
    for used in (move.left, move.right):
        if used not in left:
            raise ValueError(f"{used} is not at hand")
        left.remove(used)
    return tuple(sorted([*left, result]))


def written(numbers: Sequence[int], move: Move) -> str:
    """The step that does a move; ValueError if the numbers at hand don't allow it."""
    return f"{move.text}: {shown(apply(numbers, move))}"


def parse_step(text: str) -> Step | None:
    """The parts of a written step, right or wrong, or None if it does not follow the grammar."""
    match = _STEP.fullmatch(text.strip())
    if match is None:
        return None
    move = Move(int(match[1]), cast(Operator, match[2]), int(match[3]))
    return Step(move, int(match[4]), tuple(sorted(map(int, match[5].split()))))


def follow(numbers: Sequence[int], lines: Iterable[str]) -> Iterator[Numbers | None]:
    """The numbers at hand after each line; None from the first line on that breaks a rule."""
    at_hand: Numbers | None = tuple(sorted(numbers))
    for line in lines:
        at_hand = _after(at_hand, parse_step(line)) if at_hand is not None else None
        yield at_hand


def _after(numbers: Numbers, step: Step | None) -> Numbers | None:
    if step is None or step.move.result != step.result:
        return None
    try:
        left = apply(numbers, step.move)
    except ValueError:
        return None
    return left if left == step.left else None
