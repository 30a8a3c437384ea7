"""A calculator for expressions that models write: exact, bounded, and nothing but arithmetic.

Python's own evaluator would run whatever it is given, and even pure arithmetic such as ``9**9**9`` can take
all memory. So this is a grammar of its own over exact fractions::

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("+" | "-")* power
    power   = atom ("**" signed)?
    atom    = number | "(" sum ")"

1. The text is cut into tokens; whatever is not a token is refused. Digits are ASCII digits.
2. Recursive descent works out the value; length and nesting are bounded.
3. Before each operation the size of its result is bounded from the sizes of its operands; what may become
   larger than MAX_BITS is refused before it is computed.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from branchwise.orchestrator.core.errors import SandboxError

MAX_CHARACTERS: Final = 500
MAX_DEPTH: Final = 32
MAX_BITS: Final = 4096

_TOKEN: Final = re.compile(r"[ \t]*(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|(\*\*|[-+*/()\u00d7\u00f7\u2212]))")
_SPELLINGS: Final = {"\u00d7": "*", "\u00f7": "/", "\u2212": "-"}


def evaluate(expression: str) -> Fraction:
    """The exact value of an expression; SandboxError where it is not one, too large, or divides by zero."""
    if len(expression) > MAX_CHARACTERS:
        raise SandboxError(f"the expression is longer than {MAX_CHARACTERS} characters")
    parser = _Parser(_tokens(expression.strip(" \t\r\n")))
    value = parser.sum(0)
    if parser.token:
        raise SandboxError(f"unexpected {parser.token!r}")
    return value


def _tokens(expression: str) -> list[str]:
    tokens, position = [], 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise SandboxError(f"unexpected character at position {position}: {expression[position]!a}")
        tokens.append(match[1] or _SPELLINGS.get(match[2], match[2]))
        position = match.end()
    return tokens


class _Parser:
    """Reads tokens from the left; each method reads one rule of the grammar and returns its value."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    @property
    def token(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def take(self) -> str:
        token = self.token
        self._position += 1
        return token

    def sum(self, depth: int) -> Fraction:
        value = self.product(depth)
        while self.token in ("+", "-"):
            value = _added(value, self.product(depth)) if self.take() == "+" else _added(value, -self.product(depth))
        return value

    def product(self, depth: int) -> Fraction:
        value = self.signed(depth)
        while self.token in ("*", "/"):
            value = (
                _multiplied(value, self.signed(depth)) if self.take() == "*" else _divided(value, self.signed(depth))
            )
        return value

    def signed(self, depth: int) -> Fraction:
        negative = False
        while self.token in ("+", "-"):
            negative ^= self.take() == "-"
        value = self.power(depth)
        return -value if negative else value

    def power(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise SandboxError(f"the expression is nested deeper than {MAX_DEPTH}")
        base = self.atom(depth)
        if self.token != "**":
            return base
        self.take()
        return _raised(base, self.signed(depth + 1))

    def atom(self, depth: int) -> Fraction:
        token = self.take()
        if token == "(":
            value = self.sum(depth + 1)
            if self.take() != ")":
                raise SandboxError("a parenthesis is not closed")
            return value
        if not token or token[0] not in "0123456789.":
            raise SandboxError(f"expected a number, found {token!r}" if token else "the expression ends too early")
        return _bounded(Fraction(token.rstrip(".")))


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _within(bits: int) -> None:
    if bits > MAX_BITS:
        raise SandboxError(f"the value may need more than {MAX_BITS} bits")


def _bounded(value: Fraction) -> Fraction:
    _within(_bits(value))
    return value


def _added(left: Fraction, right: Fraction) -> Fraction:
    _within(_bits(left) + _bits(right))
    return left + right


def _multiplied(left: Fraction, right: Fraction) -> Fraction:
    _within(_bits(left) + _bits(right))
    return left * right


def _divided(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise SandboxError("division by zero")
    _within(_bits(left) + _bits(right))
    return left / right


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise SandboxError("an exponent must be a whole number")
    if base == 0 and exponent < 0:
        raise SandboxError("division by zero")
    if abs(base) not in (0, 1):
        _within(_bits(base) * abs(exponent.numerator))
    return base**exponent.numerator
