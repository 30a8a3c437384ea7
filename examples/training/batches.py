"""Training batches: texts turned into rows of token ids with the targets that count.

1. Texts of a large draw are sorted by length and cut into batches, so that little of a batch is padding.
2. A target of `IGNORED` adds nothing to the loss: padding, the problem itself, and for the reward model every
   place that is not the end of a step.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from branchwise.tasks.arithmetic.generator import OPERATORS, Chain, training_chain
from examples.training.model import EOS, PAD, TOKEN_OF, encode

IGNORED = -100
POSITIVE, NEGATIVE = TOKEN_OF["+"], TOKEN_OF["-"]
POOL = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One text: input tokens and, for each of them, the token that should come next."""

    tokens: list[int]
    targets: list[int]
    probabilities: list[float]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded to one length: three tensors of [batch, time]; `probabilities` is for soft labels only."""

    tokens: Tensor
    targets: Tensor
    probabilities: Tensor


def policy_row(chain: Chain) -> Row:
    """Problem, newline, true steps, end of sequence; the targets begin after the problem's newline."""
    prompt, solution = encode(chain.text + "\n"), [*encode("\n".join(chain.steps)), EOS]
    tokens = [*prompt, *solution[:-1]]
    targets = [IGNORED] * (len(prompt) - 1) + solution
    return Row(tokens, targets, [0.0] * len(tokens))


def reward_row(problem: str, steps: Sequence[str], labels: Sequence[float]) -> Row:
    """Problem and steps, each ended by a newline; the target at a step's newline is the token `+` or `-`."""
    tokens = encode(problem + "\n")
    targets, probabilities = [IGNORED] * len(tokens), [0.0] * len(tokens)
    for step, label in zip(steps, labels, strict=True):
        line = encode(step + "\n")
        tokens += line
        targets += [IGNORED] * (len(line) - 1) + [POSITIVE if label > 0 else NEGATIVE]
        probabilities += [0.0] * (len(line) - 1) + [label]
    return Row(tokens, targets, probabilities)


def stack(rows: Sequence[Row]) -> Batch:
    """Pad rows at the end to the longest of them."""
    length = max(len(row.tokens) for row in rows)
    return Batch(
        torch.tensor([row.tokens + [PAD] * (length - len(row.tokens)) for row in rows]),
        torch.tensor([row.targets + [IGNORED] * (length - len(row.targets)) for row in rows]),
        torch.tensor([row.probabilities + [0.0] * (length - len(row.probabilities)) for row in rows]),
    )


def grouped(rng: random.Random, rows: list[Row], size: int) -> list[Batch]:
    """Batches of rows of about the same length, in random order."""
    rows = sorted(rows, key=lambda row: len(row.tokens))
    batches = [stack(rows[begin : begin + size]) for begin in range(0, len(rows), size)]
    rng.shuffle(batches)
    return batches


def policy_batches(rng: random.Random, size: int, max_steps: int) -> Iterator[Batch]:
    """Endless batches of training-side chains of 1 to `max_steps` operations."""
    while True:
        chains = [training_chain(rng, rng.randint(1, max_steps), OPERATORS) for _ in range(size * POOL)]
        yield from grouped(rng, [policy_row(chain) for chain in chains], size)


def reward_batches(rng: random.Random, rows: Sequence[Row], size: int) -> Iterator[Batch]:
    """Endless batches: every row once an epoch, in a new order each time."""
    while True:
        shuffled = rng.sample(rows, len(rows))
        for begin in range(0, len(shuffled), size * POOL):
            yield from grouped(rng, shuffled[begin : begin + size * POOL], size)
