"""Training batches: texts turned into rows of token ids with the targets that count.

1. Texts of a large draw are sorted by length and cut into batches, so that little of a batch is padding.
2. A target of `IGNORED` adds nothing to the loss: padding, the problem itself, and for the reward model every
   place that is not the end of a step.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

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
    return Batch(
        padded([row.tokens for row in rows], PAD),
        padded([row.targets for row in rows], IGNORED),
        padded([row.probabilities for row in rows], 0.0),
    )


def padded(rows: Sequence[Sequence[float]], filling: float) -> Tensor:
    """[rows, longest]: a tensor of lists filled up at the end."""
    length = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (length - len(row))] for row in rows])


class Tokens(Protocol):
    """Anything that is as long as its tokens."""

    @property
    def tokens(self) -> Sequence[int]: ...


T = TypeVar("T", bound=Tokens)
B = TypeVar("B")


def grouped(rng: random.Random, rows: list[T], size: int, stack: Callable[[list[T]], B]) -> list[B]:
    """Batches of rows of about the same length, in random order."""
    rows = sorted(rows, key=lambda row: len(row.tokens))
    batches = [stack(rows[begin : begin + size]) for begin in range(0, len(rows), size)]
    rng.shuffle(batches)
    return batches


def policy_batches(rng: random.Random, size: int, max_steps: int) -> Iterator[Batch]:
    """Endless batches of training-side chains of 1 to `max_steps` operations."""
    while True:
        chains = [training_chain(rng, rng.randint(1, max_steps), OPERATORS) for _ in range(size * POOL)]
        yield from grouped(rng, [policy_row(chain) for chain in chains], size, stack)


def reward_batches(rng: random.Random, rows: Sequence[Row], size: int) -> Iterator[Batch]:
    """Endless batches: every row once an epoch, in a new order each time."""
    while True:
        shuffled = rng.sample(rows, len(rows))
        for begin in range(0, len(shuffled), size * POOL):
            yield from grouped(rng, shuffled[begin : begin + size * POOL], size, stack)
