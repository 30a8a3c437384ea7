"""Seeded arithmetic chains, the split that keeps evaluation apart from training, and the grammar of a step.

A problem is a chain such as ``47+38*3-95``, worked strictly from left to right, one written step for
each operation: ``47+38=85``, ``85*3=255``, ``255-95=160``. The chains are made here rather than read from a
file so that a model can be trained on an endless supply of them and judged on problems it has never met.

1. A start from 1 to 99 is drawn, then one operation after another: an operator, then its operand (1 to 99 for
   + and -, 2 to 9 for *). A draw whose value would leave the range from -9999 to 9999 is made again.
2. A keyed hash of the problem's text puts it on one side of the split for ever: about nine in ten train,
   the others evaluate. The split is of whole problems: a step such as ``47+38=85`` may occur on both sides.

Text written by a model is only ever matched against regular expressions with bounded digits, never evaluated.
"""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

Operator = Literal["+", "-", "*"]

OPERATORS: Final[tuple[Operator, ...]] = ("+", "-", "*")
MAX_STEPS: Final = 5
MAX_MAGNITUDE: Final = 9999
MAX_START: Final = 99

_OPERANDS: Final[dict[Operator, tuple[int, int]]] = {"+": (1, 99), "-": (1, 99), "*": (2, 9)}
_SPLIT_KEY: Final = b"branchwise-arithmetic-1"
_EVALUATION_SHARE: Final = 10
_MAX_REDRAWS: Final = 10_000
_OPERATION = re.compile(r"([+\-*])([0-9]{1,6})")
_PROBLEM = re.compile(r"([0-9]{1,6})((?:[+\-*][0-9]{1,6}){1,32})")
_STEP = re.compile(r"(-?[0-9]{1,9})([+\-*])([0-9]{1,6})=(-?[0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Operation:
    """One link of a chain: what is done to the running value, and with which number."""

    operator: Operator
    operand: int

    def apply(self, value: int) -> int:
        """The running value after this operation."""
        if self.operator == "+":
            return value + self.operand
        return value - self.operand if self.operator == "-" else value * self.operand


@dataclass(frozen=True, slots=True)
class Chain:
    """A start and the operations applied to it from left to right."""

    start: int
    operations: tuple[Operation, ...]

    @property
    def text(self) -> str:
        """The problem as it is written, such as ``47+38*3-95``."""
        return f"{self.start}" + "".join(f"{each.operator}{each.operand}" for each in self.operations)

    @property
    def steps(self) -> tuple[str, ...]:
        """The true steps, one for each operation, such as ``47+38=85``."""
        value, lines = self.start, []
        for each in self.operations:
            result = each.apply(value)
            lines.append(f"{value}{each.operator}{each.operand}={result}")
            value = result
        return tuple(lines)

    @property
    def answer(self) -> int:
        """The value after the last operation."""
        value = self.start
        for each in self.operations:
            value = each.apply(value)
        return value


@dataclass(frozen=True, slots=True)
class ParsedStep:
    """A step as it was written; nothing says yet that it is right."""

    left: int
    operator: Operator
    right: int
    result: int

    @property
    def computes(self) -> bool:
        """Whether the written result is the true one."""
        return Operation(self.operator, self.right).apply(self.left) == self.result


def generate(rng: random.Random, steps: int, operators: Sequence[Operator] = OPERATORS) -> Chain:
    """One chain of `steps` operations from either side of the split; ValueError for none or no operator."""
    if steps < 1 or not operators:
        raise ValueError("a chain needs at least one step and one operator")
    start = value = rng.randint(1, MAX_START)
    operations: list[Operation] = []
    for _ in range(steps):
        operation = _draw_operation(rng, value, operators)
        value = operation.apply(value)
        operations.append(operation)
    return Chain(start, tuple(operations))


def is_training(text: str) -> bool:
    """Whether the problem with this text belongs to the training side; the answer never changes."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=_SPLIT_KEY).digest()
    return int.from_bytes(digest, "big") % _EVALUATION_SHARE != 0


def training_chain(rng: random.Random, steps: int, operators: Sequence[Operator] = OPERATORS) -> Chain:
    """One chain from the training side; repeats are possible."""
    while not is_training((chain := generate(rng, steps, operators)).text):
        pass
    return chain


def evaluation_chains(
    rng: random.Random, count: int, steps: int, operators: Sequence[Operator] = OPERATORS
) -> list[Chain]:
    """`count` different chains from the evaluation side; ValueError if there are not that many."""
    found: dict[str, Chain] = {}
    misses = 0
    while len(found) < count:
        chain = generate(rng, steps, operators)
        if is_training(chain.text) or chain.text in found:
            misses += 1
            if misses > _MAX_REDRAWS:
                raise ValueError(f"no {count} different evaluation problems of {steps} step(s) were found")
            continue
        found[chain.text], misses = chain, 0
    return list(found.values())


def parse_problem(text: str) -> Chain | None:
    """The chain behind a problem's text, or None if it is not one."""
    match = _PROBLEM.fullmatch(text)
    if match is None:
        return None
    operations = tuple(
        Operation(cast(Operator, operator), int(operand)) for operator, operand in _OPERATION.findall(match[2])
    )
    return Chain(int(match[1]), operations)


def parse_step(text: str) -> ParsedStep | None:
    """The parts of a written step, right or wrong, or None if it does not follow the grammar."""
    match = _STEP.fullmatch(text)
    if match is None:
        return None
    return ParsedStep(int(match[1]), cast(Operator, match[2]), int(match[3]), int(match[4]))


def step_is_right(problem: str, steps: Sequence[str]) -> tuple[bool, ...]:
    """For each step: does it apply the next operation to the last *written* result, and compute right?

    A right step after a wrong one counts as right in itself; a prefix is on the true path only if all of
    its steps are right. After a step that cannot be read nothing can be continued from. ValueError if
    `problem` is not a chain.
    """
    chain = parse_problem(problem)
    if chain is None:
        raise ValueError("not an arithmetic chain")
    value: int | None = chain.start
    verdicts: list[bool] = []
    for index, text in enumerate(steps):
        step = parse_step(text)
        verdicts.append(step is not None and _continues(chain, index, value, step) and step.computes)
        value = None if step is None else step.result
    return tuple(verdicts)


def _continues(chain: Chain, index: int, value: int | None, step: ParsedStep) -> bool:
    if index >= len(chain.operations) or step.left != value:
        return False
    return Operation(step.operator, step.right) == chain.operations[index]


def _draw_operation(rng: random.Random, value: int, operators: Sequence[Operator]) -> Operation:
    for _ in range(_MAX_REDRAWS):
        operator = rng.choice(operators)
        operation = Operation(operator, rng.randint(*_OPERANDS[operator]))
        if abs(operation.apply(value)) <= MAX_MAGNITUDE:
            return operation
    raise ValueError(f"these operators only lead out of the range of {MAX_MAGNITUDE}")
