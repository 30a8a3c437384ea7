"""Solutions with mistakes, for the first lesson of the reward model: spoilt on purpose, or the policy's own.

Labels from rollouts say one bit about a whole step, too little to teach a fresh verifier where mistakes hide.
So it first practises on solutions about which everything is known at every character.

1. On purpose: a training-side chain is written out step by step; each step is spoilt with a chance drawn for
   the solution. A spoilt step has one digit of its result changed (at times two), or copies a wrong operand.
   What follows goes on from the wrong result, as a model would.
2. The policy's own: solutions it sampled for training-side problems. Its mistakes look likely, so they are
   much harder to see than those made by chance; a verifier that met only the latter misses most of them.
3. Three things are marked at a character: whether all that is written so far is right (the verdict: `+`, and
   `-` from the first wrong character on); whether the line so far is, given the result written before it; and,
   where it is, which character comes next. The last two keep teaching after the first mistake.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from branchwise.tasks.arithmetic.generator import Chain, Operation, parse_step
from examples.training.batches import IGNORED, NEGATIVE, POSITIVE, padded
from examples.training.model import PAD, TOKEN_OF, encode

SPOILT_SHARES = (0.0, 0.3, 0.5)
WRONG_COPY_SHARE = 0.15
TWO_DIGITS_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Marked:
    """A solution with its marks: the targets of the three lessons, one for each token."""

    tokens: list[int]
    verdicts: list[int]
    characters: list[int]
    following: list[int]


@dataclass(frozen=True, slots=True)
class MarkedBatch:
    """Marked solutions padded to one length: tensors of [batch, time]."""

    tokens: Tensor
    verdicts: Tensor
    characters: Tensor
    following: Tensor


def stack_marked(rows: Sequence[Marked]) -> MarkedBatch:
    """Pad solutions at the end to the longest of them."""
    return MarkedBatch(
        padded([row.tokens for row in rows], PAD),
        *(padded([getattr(row, name) for row in rows], IGNORED) for name in ("verdicts", "characters", "following")),
    )


def spoilt(rng: random.Random, chain: Chain) -> Marked:
    """A solution, right or spoilt, with its marks."""
    share, value, lines = rng.choice(SPOILT_SHARES), chain.start, []
    for operation in chain.operations:
        spoil = rng.random() < share
        line = _spoilt(rng, value, operation) if spoil else _line(value, operation, operation.apply(value))
        lines.append(line)
        value = int(line.rpartition("=")[2])
    return marked(chain, lines)


def marked(chain: Chain, steps: Sequence[str]) -> Marked:
    """Steps as they were written, with their marks; KeyError for an unknown character."""
    row = Marked(tokens := encode(chain.text + "\n"), *([IGNORED] * len(tokens) for _ in range(3)))
    value: int | None = chain.start
    for number, step in enumerate(steps):
        due = None
        if value is not None and number < len(chain.operations):
            operation = chain.operations[number]
            due = _line(value, operation, operation.apply(value)) + "\n"
        _mark(row, step + "\n", due)
        read = parse_step(step)
        value = read.result if read else None
    return row


def _mark(row: Marked, written: str, due: str | None) -> None:
    """Add one line; ``due`` is what it should be, None after the last one and after one that can't be read."""
    so_far, right = row.verdicts[-1] != NEGATIVE, due is not None
    if due is not None:
        row.following[-1] = TOKEN_OF[due[0]]
    for place, character in enumerate(written):
        before, right = right, right and due is not None and due[place : place + 1] == character
        row.tokens.append(TOKEN_OF[character])
        row.verdicts.append(POSITIVE if right and so_far else NEGATIVE)
        row.characters.append((POSITIVE if right else NEGATIVE) if before else IGNORED)
        going_on = right and due is not None and place + 1 < len(due)
        row.following.append(TOKEN_OF[due[place + 1]] if going_on and due is not None else IGNORED)


def _line(value: int, operation: Operation, result: int) -> str:
    return f"{value}{operation.operator}{operation.operand}={result}"


def _spoilt(rng: random.Random, value: int, operation: Operation) -> str:
    if rng.random() < WRONG_COPY_SHARE:
        copied = Operation(operation.operator, int(_changed(rng, str(operation.operand))))
        return _line(value, copied, copied.apply(value))
    digits = _changed(rng, str(operation.apply(value)))
    if rng.random() < TWO_DIGITS_SHARE:
        digits = _changed(rng, digits)
    return _line(value, operation, int(digits))


def _changed(rng: random.Random, number: str) -> str:
    place = rng.randrange(number.startswith("-"), len(number))
    return number[:place] + rng.choice("0123456789".replace(number[place], "")) + number[place + 1 :]
