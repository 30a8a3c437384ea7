r"""LaTeX: from what models write to formulas that a parser of LaTeX takes for what they mean.

1. Signs become commands: ``≤`` is ``\le``.
2. ``REWRITINGS``, in their order, make LaTeX of what is written beside it: ``√16``, ``x**2``, ``\frac 1 2``.
3. A list without brackets falls into its items, each without its unit; ``and`` and ``or`` between them are kept.
4. ``MISREAD`` is what would be parsed as something else. A formula with it stands for its own text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from branchwise.tasks.math.units import NAMES as UNITS
from branchwise.tasks.math.units import without_last_unit

Joint = Literal[",", "and", "or"]


@dataclass(frozen=True, slots=True)
class Formula:
    """The members of a list and what joins them, or the one formula that there is.

    ``misread``: a parser would take it for something else, so it is no more than its text.
    """

    items: tuple[str, ...]
    joint: Joint = ","
    misread: bool = False

    @property
    def text(self) -> str:
        """Itself, without the spaces and braces that mean nothing: what it is if nothing understands it."""
        text = re.sub(r"\{ ?([0-9]) ?\}|(?<=[_^])\{ ?(\w) ?\}", r"\1\2", f" {self.joint} ".join(self.items))
        return re.sub(r" ?([^\w ]) ?|(?<=[A-Za-z]) (?=[0-9])", r"\1", " ".join(text.split()))


NAMES: Final = (
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln"),
    *("exp", "max", "min", "gcd", "lcm", "pi", "theta", "alpha", "beta", "gamma", "phi", "lambda", "infty"),
)
"""Functions and constants that models write without a backslash, too."""

_GREEK: Final = {
    unicodedata.lookup(f"GREEK SMALL LETTER {name}"): name.lower().replace("lamda", "lambda")
    for name in (
        *("ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA", "THETA", "IOTA", "KAPPA", "LAMDA", "MU", "NU"),
        *("XI", "OMICRON", "PI", "RHO", "SIGMA", "TAU", "UPSILON", "PHI", "CHI", "PSI", "OMEGA"),
    )
}
_SIGNS: Final = str.maketrans(
    {"∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
     "∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "±": r"\pm ", "·": r"\cdot ", "×": r"\times ", "÷": "/", "…": r"\ldots ",
     "°": r"^\circ ", "⟨": "(", "⟩": ")", "′": "'"}
    | {sign: rf"\{name} " for sign, name in _GREEK.items()}
)  # fmt: skip
_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_LOWERED: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_MOVED: Final = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)|[₀₁₂₃₄₅₆₇₈₉]+")
_OTHER_NAMES: Final = {
    "varnothing": r"\emptyset",
    "lg": r"\log",
    "dbinom": r"\binom",
    "tbinom": r"\binom",
    "langle": "(",
    "rangle": ")",
    "land": " and ",
    "wedge": " and ",
    "lor": " or ",
    "vee": " or ",
}
_BRACKETS: Final = r"\(((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*)\)"
_ARGUMENT: Final = r"(?:\{[^{}]*\}|[0-9])"
_WHOLE: Final = r"\{ ?([0-9]+) ?\}"
_OF_REALS: Final = r"\\\{ ?[A-Za-z] ?(?:\\in ?\\mathbb ?\{R\} ?)?(?::|\||\\mid(?![a-z]))"
_RELATION: Final = r"(?:[<>]|\\(?:leq?|geq?|lt|gt|neq?)(?![a-z]))"


def _repeating(found: re.Match[str]) -> str:
    """The fraction that a repeating decimal is: what is repeated is one of as many nines."""
    whole, once, again = found.groups()
    value = Fraction(int(whole + once or "0")) + Fraction(int(again), 10 ** len(again) - 1)
    value /= 10 ** len(once)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


Replacement = str | Callable[[re.Match[str]], str]

REWRITINGS: Final[dict[str, tuple[re.Pattern[str], Replacement]]] = {
    name: (re.compile(pattern), replacement)
    for name, pattern, replacement in (
        ("a power as in Python", r" ?\*\* ?", "^"),
        ("a root of brackets", rf"(?:\\?sqrt|√) ?{_BRACKETS}", r"\\sqrt{\1}"),
        ("a root of a number or a letter", r"(?:(?<!\\)sqrt|√) ?([0-9]+(?:\.[0-9]+)?|[A-Za-z])", r"\\sqrt{\1}"),
        ("a cube root", r"∛ ?([0-9]+|[A-Za-z])", r"\\sqrt[3]{\1}"),
        ("a power in brackets", rf"\^ ?{_BRACKETS}", r"^{\1}"),
        ("a negative power", r"\^ ?(-[0-9]+)", r"^{\1}"),
        ("a fraction as a power", rf"\^ ?(\\frac ?{_ARGUMENT} ?{_ARGUMENT})", r"^{\1}"),
        ("arguments without braces", r"\\([dt]?binom|frac) ?([0-9]) ?([0-9])", r"\\\1{\2}{\3}"),
        ("a mixed number", rf"(?<![\w.}}^])([0-9]+) ?\\frac ?{_WHOLE} ?{_WHOLE}", r"(\1+\\frac{\2}{\3})"),
        ("a power or an index before a space", r"([_^]) ?([0-9]+)(?= )", r"\1{\2}"),
        (
            "a repeating decimal",
            r"([0-9]{0,30})\.([0-9]{0,30})\\(?:overline|bar|dot) ?\{ ?([0-9]{1,30}) ?\}",
            _repeating,
        ),
        ("another name", rf"\\({'|'.join(_OTHER_NAMES)})(?![A-Za-z])", lambda name: _OTHER_NAMES[name[1]]),
        ("a bare name", rf"(?<![A-Za-z\\])(?:{'|'.join(NAMES)})(?![A-Za-z])", r"\\\g<0>"),
        ("bare infinity", r"(?<![A-Za-z\\])(?:infinity|inf|oo)(?![A-Za-z])", r"\\infty "),
        ("and, or", r"\\(?:text|mbox|textbf|textrm|mathrm) ?\{[ ,]*(and|or) ?\}", r" \1 "),
        ("the condition of a set", rf"\A{_OF_REALS}(?=.*{_RELATION})([^|:{{}}]*)\\\}}\Z", r"\1"),
    )
}
"""What models write, and the LaTeX that it means; applied in this order."""

MISREAD: Final[dict[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.DOTALL)
    for name, pattern in (
        ("numbers side by side", r"[0-9.] +[0-9.]"),
        ("a number right after a letter", r"(?<![A-Za-z\\])[A-Za-z]+[0-9]"),
        ("what goes on", r"\\(?:[lc]?dots|dots[a-z])(?![a-z])|\.\."),
        ("a derivative", r"'|\\(?:prime|partial)(?![a-z])|\\frac ?\{ ?d(?:[^{}]|\{[^{}]*\})*\} ?\{ ?d ?[A-Za-z]"),
        ("a number in another base", r"[0-9] ?_"),
        ("a remainder", r"\\(?:pmod|equiv|cong|sim)(?![a-z])"),
        ("a ratio of three", r":[^:]*:"),
        ("a condition", r"\\\{.*(?::|\||\\mid)"),
        ("a unit inside", rf"[0-9] ?(?:{UNITS}|st|nd|rd|th)(?![A-Za-z])"),
    )
}
"""What the parser takes for something else, or for nothing at all."""

_TOKEN: Final = re.compile(
    r"(?P<opened>\\\{|\\begin(?![a-z])|[(\[{])|(?P<closed>\\\}|\\end(?![a-z])|[)\]}])"
    r"|(?P<thousands>(?<![0-9,.])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9]))"
    r"|(?P<joint>(?:[,;] ?)?(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|[,;])|\\?.",
    re.DOTALL,
)
_LETTERS: Final = re.compile(
    r"\\Gamma(?![a-z])|\\(?:text|math[a-z]{2}|operatorname|begin|end) ?\{[^{}]*\}|\\[A-Za-z]+|I|d(?=\s*[A-Za-z\\])"
)
_TAKEN: Final = {r"\Gamma": r"\mathrm{GAMMA}", "I": r"\mathrm{I}", "d": "{d}"}
"""Letters that the parser takes for a constant, the imaginary unit, a differential."""


def with_commands(text: str) -> str:
    """The text with LaTeX's commands for signs, and with raised and lowered digits as powers and indices."""
    return _MOVED.sub(_moved, text).translate(_SIGNS)


def formula(text: str) -> Formula:
    """The formula, or the formulas, that a text without wrappers and units means."""
    for pattern, replacement in REWRITINGS.values():
        text = pattern.sub(replacement, text)
    joints = list[str]()
    items = [_last_side(without_last_unit(item.strip(" $"))) for item in _items(text, joints)]
    misread = any(pattern.search(item) for item in items for pattern in MISREAD.values())
    return Formula(tuple(items if misread else map(_letters, items)), _joint(joints), misread)


def _joint(joints: Sequence[str]) -> Joint:
    """What joins all members; a comma joins as the word after it does, and "and" with "or" may mean either."""
    if "and" in joints:
        return "," if "or" in joints else "and"
    return "or" if "or" in joints else ","


def _items(text: str, joints: list[str]) -> Iterator[str]:
    """The members of a list without brackets; ``joints`` is told what stands between them."""
    depth, item = 0, list[str]()
    for token in _TOKEN.finditer(text):
        depth += bool(token["opened"]) - bool(token["closed"])
        if depth != 0 or not (token["joint"] or token["thousands"]):
            item.append(token[0])
        elif token["thousands"]:
            item.append(token[0].replace(",", ""))
        else:
            joints.append(token[0].strip(",; "))
            yield "".join(item)
            item = []
    yield "".join(item)


def _last_side(item: str) -> str:
    """What a chain of equations comes to."""
    return item.rpartition("=")[2] if item.count("=") > 1 and not re.search(_RELATION, item) else item


def _letters(item: str) -> str:
    return item if r"\int" in item else _LETTERS.sub(lambda found: _TAKEN.get(found[0], found[0]), item)


def _moved(digits: re.Match[str]) -> str:
    return f"^{{{digits[0].translate(_RAISED)}}}" if digits[1] else f"_{{{digits[0].translate(_LOWERED)}}}"
