"""Solutions with mistakes made on purpose, for the first lesson of the reward model.

Labels from rollouts say one bit about a whole step, too little to teach a fresh verifier where mistakes hide.
So it first practises on solutions spoilt here, where each character's verdict is known at no cost.

1. A training-side chain is written out step by step; each step is spoilt with a chance drawn for the solution.
2. A spoilt step has one digit of its result changed (at times two), as a wrong carry would, or copies a wrong
   operand. What follows goes on from the wrong result, as a model would.
3. The verdict at a character is `+` while all that is written so far is right, and `-` from the first wrong
   character on.
"""

import random

from branchwise.tasks.arithmetic.generator import Chain, Operation
from examples.training.batches import IGNORED, NEGATIVE, POSITIVE, Row
from examples.training.model import encode

SPOILT_SHARES = (0.0, 0.3, 0.5)
WRONG_COPY_SHARE = 0.15
TWO_DIGITS_SHARE = 0.25


def spoilt_row(rng: random.Random, chain: Chain) -> Row:
    """A solution, right or spoilt, with a verdict at every character of its steps."""
    share = rng.choice(SPOILT_SHARES)
    tokens = encode(chain.text + "\n")
    targets = [IGNORED] * len(tokens)
    value, right = chain.start, True
    for operation in chain.operations:
        truth = _line(value, operation, operation.apply(value))
        line = _spoilt(rng, value, operation) if rng.random() < share else truth
        for place, character in enumerate(line):
            right = right and place < len(truth) and character == truth[place]
            targets.append(POSITIVE if right else NEGATIVE)
        tokens += encode(line)
        value = int(line[:-1].rpartition("=")[2])
    return Row(tokens, targets, [0.0] * len(tokens))


def _line(value: int, operation: Operation, result: int) -> str:
    return f"{value}{operation.operator}{operation.operand}={result}\n"


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
