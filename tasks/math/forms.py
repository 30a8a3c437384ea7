r"""Forms: one text for everything that is equal as mathematics. Runs in the worker process only.

1. math-verify's parser (latex2sympy2) reads LaTeX into sympy's objects; what it can't parse has no form.
2. A number that is a fraction is written as one; any other by 15 digits of its value, so that ``\sqrt{8}`` and
   ``2\sqrt{2}`` are one answer and 2.83 is another.
3. A formula with variables stands for its values at two points fixed by the variables' names: two formulas with the
   same values are equal but by a chance below 1e-11 (the identity test of Schwartz and Zippel). This makes a form of
   a formula, where simplifying gives none that is sure to be the same. One of the points is negative, which tells
   ``|x|`` from ``x``; where a root or a logarithm of a variable is left, both are positive, as their rules assume.
4. A list without brackets is its members in any order, each as often as it is there; a set has them once. Intervals
   and inequalities of one variable keep their ends, open or closed, and ``and`` means both, ``or`` any of them.
   ``(1, 2)`` is a point or an open interval, which are written alike. An equation for a variable is its other side;
   any other is what makes it 0, up to a factor.

Schwartz 1980, "Fast probabilistic algorithms for verification of polynomial identities", J. ACM 27:701-717.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import sympy
from latex2sympy2_extended import NormalizationConfig, latex2sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

_DIGITS: Final = 50
_TOLERANCE: Final = Fraction(1, 10**40)
_SIMPLE: Final = 10**24
"""Greatest product of numerator and denominator of a fraction that digits are taken for."""
_ACCURATE_BITS: Final = 60
_GREATEST_EXPONENT: Final = 10_000
_NORMALIZATION: Final = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
)
_CONVERSION: Final = ConversionConfig(lowercase_symbols=False)
_OF_DEGREES: Final = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")


def form_of(items: Sequence[str], joint: str) -> str:
    """The form of a formula, or of a list of them. Whatever parser and sympy raise comes out."""
    values = [value for item in items for value in _values(item)]
    if len(values) == 1:
        return _form(values[0])
    if joint in ("and", "or") and all(_is_inequality(value) for value in values):
        together = sympy.Intersection if joint == "and" else sympy.Union
        _one_variable(values)
        return _set(together(*(value.as_set() for value in values)))
    return _list(values)


def _values(item: str) -> list[Any]:
    value = latex2sympy(
        item,
        is_real=True,
        convert_degrees=_OF_DEGREES.search(item) is not None,
        normalization_config=_NORMALIZATION,
        conversion_config=_CONVERSION,
    )
    return _of_both_signs(value) if r"\pm" in item else [value]


def _of_both_signs(value: Any) -> list[Any]:
    if isinstance(value, sympy.Eq) and isinstance(value.rhs, sympy.FiniteSet):
        return [sympy.Eq(value.lhs, each, evaluate=False) for each in value.rhs.args]
    return list(value.args) if isinstance(value, sympy.FiniteSet) else [value]


def _form(value: Any) -> str:
    if isinstance(value, sympy.MatrixBase):
        return _matrix(value)
    if isinstance(value, sympy.Tuple):
        return f"({', '.join(map(_form, value))})"
    if isinstance(value, sympy.Eq):
        return _equation(value)
    if _is_inequality(value):
        _one_variable([value])
        return _set(value.as_set())
    return _set(value) if isinstance(value, sympy.Set) else _scalar(value)


def _matrix(value: Any) -> str:
    """A row or a column is the vector of its entries."""
    if 1 in value.shape:
        return f"({', '.join(map(_form, value))})"
    return f"[{'; '.join(', '.join(map(_form, value.row(k))) for k in range(value.rows))}]"


def _set(value: Any) -> str:
    value = value.doit()
    if isinstance(value, sympy.Interval) or value is sympy.S.Reals:
        left, right = "(["[not value.left_open], ")]"[not value.right_open]
        return f"{left}{_form(value.start)}, {_form(value.end)}{right}"
    if isinstance(value, sympy.FiniteSet):
        return _braced({_form(each) for each in value.args})
    if isinstance(value, sympy.Union):
        return " ∪ ".join(sorted(map(_form, value.args)))
    return str(value)


def _list(values: Sequence[Any]) -> str:
    """Solutions for one variable are its values; those for several say which is whose."""
    names = [_name(value) for value in values]
    if None in names or len({*names}) == 1:
        return _braced([_form(value) for value in values])
    return _braced([f"{name}: {_form(value)}" for name, value in zip(names, values, strict=True)])


def _name(value: Any) -> str | None:
    """What an equation or an inequality is about; None for anything else."""
    if isinstance(value, sympy.Eq):
        return str(value.rhs if _is_name(value.rhs) and not _is_name(value.lhs) else value.lhs)
    return str(value.free_symbols) if _is_inequality(value) else None


def _braced(forms: set[str] | list[str]) -> str:
    return next(iter(forms)) if len(forms) == 1 else "{" + ", ".join(sorted(forms)) + "}"


def _is_inequality(value: Any) -> bool:
    return isinstance(value, sympy.And | sympy.Or | Relational) and not isinstance(value, sympy.Eq)


def _one_variable(inequalities: Sequence[Any]) -> None:
    """ValueError where they are about several variables, or none: no interval is their meaning."""
    if len(set().union(*(each.free_symbols for each in inequalities))) != 1:
        raise ValueError("inequalities of several variables")


def _equation(equation: Any) -> str:
    left, right = equation.lhs, equation.rhs
    if _is_name(left):
        return _form(right)
    if _is_name(right):
        return _form(left)
    zero = sympy.together(_exact(left - right)).as_numer_denom()[0]
    first, *others = _at_points(zero, 3)
    if not any(first):
        return f"{_scalar(zero)} = 0"
    return f"{'; '.join(_digits(_ratio(other, first)) for other in others)} = 0"


def _is_name(side: Any) -> bool:
    """Whether the other side of an equation is what this one is called: x, f(x), (x, y), or x of an interval."""
    if isinstance(side, sympy.Tuple | sympy.Interval):
        return all(isinstance(each, sympy.Symbol) for each in side.args[:2])
    return isinstance(side, sympy.Symbol | AppliedUndef)


def _scalar(value: Any) -> str:
    value = _exact(value)
    if value.has(sympy.zoo, sympy.nan):
        raise ValueError("a division by zero")
    if value.is_Rational or value in (sympy.oo, -sympy.oo):
        return str(value)
    if value.is_Symbol:
        return str(value.name)
    if value.atoms(AppliedUndef):
        return str(sympy.expand(value))
    digits = [_digits(number) for number in _at_points(value, 2)]
    return digits[0] if digits[0] == digits[1] else f"f: {'; '.join(digits)}"


def _exact(value: Any) -> Any:
    """With decimals as fractions, i as the imaginary unit, and everything worked out."""
    decimals = {each: sympy.Rational(str(each)) for each in value.atoms(sympy.Float)}
    imaginary = {each: sympy.I for each in value.free_symbols if each.name == "i"}
    return value.xreplace({**decimals, **imaginary}).doit()


Complex = tuple[Fraction, Fraction]


def _at_points(value: Any, count: int) -> list[Complex]:
    """Its values at fixed points, the second of them negative unless it is only for positive ones."""
    sign = 1 if _of_positive(value) else -1
    return [
        _at(value, {each: sign**k * _coordinate(each.name, k) for each in value.free_symbols}) for k in range(count)
    ]


def _of_positive(value: Any) -> bool:
    """Whether a root or a logarithm of a variable is left when everything is multiplied out."""
    return _roots(value) and _roots(sympy.expand(value))


def _roots(value: Any) -> bool:
    powers = (each for each in value.atoms(sympy.Pow) if not each.exp.is_integer)
    return any(each.args[0].free_symbols for each in (*powers, *value.atoms(sympy.log)))


def _coordinate(name: str, number: int) -> Any:
    """A fraction between 1/2 and 3/2, the same for a name wherever it is worked out."""
    drawn = int.from_bytes(hashlib.sha256(f"{number} {name}".encode()).digest()[:5], "big")
    return sympy.Rational(1, 2) + sympy.Rational(drawn, 2**40)


def _at(value: Any, point: dict[Any, Any]) -> Complex:
    """Its value at a point. ValueError where that is no number."""
    real, imaginary = map(_fraction, value.evalf(_DIGITS, subs=point).as_real_imag())
    least = _TOLERANCE * max(abs(real), abs(imaginary))
    return real if abs(real) > least else Fraction(0), imaginary if abs(imaginary) > least else Fraction(0)


def _fraction(part: Any) -> Fraction:
    """A part of a value as a fraction; what is nothing but the error of a difference is 0."""
    if not (part.is_Number and part.is_finite):
        raise ValueError("no number")
    if part == 0 or (part.is_Float and part._prec < _ACCURATE_BITS):
        return Fraction(0)
    if part.is_Float and abs(Decimal(str(part)).adjusted()) > _GREATEST_EXPONENT:
        raise ValueError("too great or too small")
    return Fraction(str(part))


def _ratio(over: Complex, under: Complex) -> Complex:
    (a, b), (c, d) = over, under
    size = c * c + d * d
    return (a * c + b * d) / size, (b * c - a * d) / size


def _digits(number: Complex) -> str:
    real, imaginary = map(_shown, number)
    return real if imaginary == "0" else f"{real} + {imaginary}i"


def _shown(part: Fraction) -> str:
    """A simple fraction where the number is one, else 15 digits."""
    near = part.limit_denominator(10**12)
    if abs(near - part) <= _TOLERANCE * abs(part) and abs(near.numerator) * near.denominator <= _SIMPLE:
        return str(near)
    return f"{Decimal(part.numerator) / Decimal(part.denominator):.14e}"
