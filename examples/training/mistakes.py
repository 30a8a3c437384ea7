"""Solutions with mistakes, for the first lesson of the reward model: spoilt on purpose, or the policy's own.

Labels from rollouts say one bit about a whole step, too little to teach a fresh verifier where mistakes hide.
So it first practises on solutions whose verdict is known at every character, as the true steps are known.

1. On purpose: a training-side chain is written out step by step; each step is spoilt with a chance drawn for
   the solution. A spoilt step has one digit of its result changed (at times two), or copies a wrong operand.
   What follows goes on from the wrong result, as a model would.
2. The policy's own: solutions it sampled for training-side problems. Its mistakes look likely, so they are
   much harder to see than those made by chance; a verifier that met only the latter misses most of them.
3. The verdict at a character is `+` while all that is written so far is right, and `-` from the first wrong
   character on.
"""

import random
from collections.abc import Sequence

from branchwise.tasks.arithmetic.generator import Chain, Operation
from examples.training.batches import IGNORED, NEGATIVE, POSITIVE, Row
from examples.training.model import encode

SPOILT_SHARES = (0.0, 0.3, 0.5)
WRONG_COPY_SHARE = 0.15
TWO_DIGITS_SHARE = 0.25


def spoilt_row(rng: random.Random, chain: Chain) -> Row:
    """A solution, right or spoilt, with a verdict at every character of its steps."""
    share, value, lines = rng.choice(SPOILT_SHARES), chain.start, []
    for operation in chain.operations:
        spoil = rng.random() < share
        line = _spoilt(rng, value, operation) if spoil else _line(value, operation, operation.apply(value))
        lines.append(line)
        value = int(line.rpartition("=")[2])
    return verdict_row(chain, lines)


def verdict_row(chain: Chain, steps: Sequence[str]) -> Row:
    """Steps as they were written, with a verdict at every character; KeyError for an unknown character."""
    written, truth = "".join(f"{step}\n" for step in steps), "".join(f"{step}\n" for step in chain.steps)
    right = next((place for place, pair in enumerate(zip(written, truth, strict=False)) if len(set(pair)) > 1), None)
    if right is None:
        right = min(len(written), len(truth))
    prompt = encode(chain.text + "\n")
    targets = [IGNORED] * len(prompt) + [POSITIVE] * right + [NEGATIVE] * (len(written) - right)
    return Row([*prompt, *encode(written)], targets, [0.0] * len(targets))


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
