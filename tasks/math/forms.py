r"""Forms: one text for everything that is equal as mathematics. Runs in the worker process only.

1. math-verify parses LaTeX into sympy's objects; what it can't parse has no form.
2. A number that is a fraction is written as one; any other by 15 digits of its value, so that ``\sqrt{8}`` and
   ``2\sqrt{2}`` are one answer and 2.83 is another.
3. A formula with variables stands for its values at two points fixed by the variables' names, one of them negative:
   two formulas with the same values are equal but by a chance of about 1e-15 (the identity test of Schwartz and
   Zippel). This makes a form of a formula, where simplifying gives none that is sure to be the same.
4. Sets and lists without brackets are sorted; intervals and inequalities of one variable keep their ends, open or
   closed; ``(1, 2)`` is a point or an open interval, which are written alike. An equation for a variable is its other
   side; any other is what makes it 0, up to a factor.

Schwartz 1980, "Fast probabilistic algorithms for verification of polynomial identities", J. ACM 27:701-717.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify.parser import LatexExtractionConfig, parse

_PRECISION: Final = 40
_TOLERANCE: Final = Fraction(1, 10**30)
_MAX_DENOMINATOR: Final = 10**4
_NORMALIZATION: Final = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="last"
)
_LATEX: Final = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=_NORMALIZATION)]


def form_of(latex: str) -> str | None:
    """The form of a formula; None where it can't be parsed. Whatever sympy raises comes out."""
    parsed = parse(rf"\boxed{{{latex}}}", _LATEX, fallback_mode="no_fallback", parsing_timeout=None)
    return _form(parsed[0]) if parsed else None


def _form(value: Any) -> str:
    if isinstance(value, sympy.MatrixBase):
        return f"[{'; '.join(', '.join(map(_form, value.row(k))) for k in range(value.rows))}]"
    if isinstance(value, sympy.Tuple):
        return f"({', '.join(map(_form, value))})"
    if isinstance(value, sympy.Eq):
        return _equation(value)
    if isinstance(value, sympy.FiniteSet):
        return _list(list(value.args))
    if isinstance(value, sympy.And | sympy.Or | sympy.core.relational.Relational):
        return _set(value.as_set())
    return _set(value) if isinstance(value, sympy.Set) else _scalar(value)


def _set(value: Any) -> str:
    value = value.doit()
    if isinstance(value, sympy.Interval) or value is sympy.S.Reals:
        left, right = "(["[not value.left_open], ")]"[not value.right_open]
        return f"{left}{_form(value.start)}, {_form(value.end)}{right}"
    if isinstance(value, sympy.FiniteSet):
        return _list(list(value.args))
    if isinstance(value, sympy.Union):
        return " ∪ ".join(sorted(map(_form, value.args)))
    return str(value)


def _list(members: list[Any]) -> str:
    """Members of a set; solutions for one variable are its values, a set of inequalities is their union."""
    if members and all(isinstance(each, sympy.Eq) for each in members):
        return _solutions(members)
    if members and all(isinstance(each, sympy.core.relational.Relational) for each in members):
        return _set(sympy.Union(*(each.as_set() for each in members)))
    return _braced({_form(each) for each in members})


def _solutions(equations: list[Any]) -> str:
    if len({each.lhs for each in equations}) == 1:
        return _braced({_form(each) for each in equations})
    return _braced({f"{each.lhs} = {_form(each.rhs)}" for each in equations})


def _braced(forms: set[str]) -> str:
    return forms.pop() if len(forms) == 1 else "{" + ", ".join(sorted(forms)) + "}"


def _equation(equation: Any) -> str:
    left, right = equation.lhs, equation.rhs
    if _names(left):
        return _form(right)
    try:
        numerator = sympy.together(_exact(left - right)).as_numer_denom()[0]
        return f"{_scalar(sympy.Poly(numerator).monic().as_expr())} = 0"
    except (sympy.PolynomialError, TypeError):
        return f"{_form(left)} = {_form(right)}"


def _names(left: Any) -> bool:
    """Whether an equation's left side is only what the right side is called: x, f(x), (x, y), or x of an interval."""
    if isinstance(left, sympy.Tuple | sympy.Interval):
        return all(isinstance(each, sympy.Symbol) for each in left.args[:2])
    return isinstance(left, sympy.Symbol | sympy.core.function.AppliedUndef)


def _scalar(value: Any) -> str:
    value = _exact(value)
    if value.is_Rational or value in (sympy.oo, -sympy.oo):
        return str(value)
    if value.is_Symbol:
        return str(value.name).casefold()
    first, second = (_at(value, point) for point in (1, -1))
    if first is None or second is None:
        return str(sympy.expand(value))
    return first if first == second else f"f: {first}; {second}"


def _exact(value: Any) -> Any:
    """With decimals as fractions, i as the imaginary unit, and everything worked out."""
    decimals = {each: sympy.Rational(str(each)) for each in value.atoms(sympy.Float)}
    imaginary = {each: sympy.I for each in value.free_symbols if each.name == "i"}
    return value.xreplace({**decimals, **imaginary}).doit()


def _at(value: Any, point: int) -> str | None:
    """The digits of its value where each variable has a value of its own; None where that is no number."""
    where = {each: point * _coordinate(each.name) for each in value.free_symbols}
    found = value.evalf(_PRECISION, subs=where) if where else value.evalf(_PRECISION)
    real, imaginary = found.as_real_imag()
    if not (real.is_Number and imaginary.is_Number and real.is_finite and imaginary.is_finite):
        return None
    parts = _digits(real), _digits(imaginary)
    return parts[0] if parts[1] == "0" else f"{parts[0]} + {parts[1]}i"


def _coordinate(name: str) -> Any:
    """A number between 1/2 and 3/2, the same for a name wherever it is worked out."""
    drawn = int.from_bytes(hashlib.sha256(name.encode()).digest()[:12], "big")
    return sympy.Float(sympy.Rational(1, 2) + sympy.Rational(drawn, 2**96), _PRECISION)


def _digits(number: Any) -> str:
    """A simple fraction where the number is one, else 15 digits."""
    exact = Fraction(str(number))
    near = exact.limit_denominator(_MAX_DENOMINATOR)
    if abs(near - exact) <= _TOLERANCE * max(Fraction(1), abs(exact)):
        return str(near)
    return f"{Decimal(str(number)):.14e}"
