"""Views: what of a solution a reward model is shown.

* ``full``: every step as it is.
* ``math_only``: of every step its formulas alone, without the words between them. A dollar that opens a formula has
  no white space behind it, one that closes it none before it and no digit behind it: so sums of money open none.
* ``last_step``: the step that is judged and none before it.

Ma et al. 2024, "What Are Step-Level Reward Models Rewarding?", arXiv 2412.15904: with mathematics alone a step-level
reward model of mathematics steers as well as with the words.
"""

from __future__ import annotations

import re
from typing import Final, Literal

View = Literal["full", "math_only", "last_step"]

_LATEX: Final = re.compile(
    r"\$\$(.{1,2000}?)\$\$|\$(?!\s)([^$\n]{1,500})(?<!\s)\$(?![0-9])"
    r"|\\\[((?:(?!\\\[).){1,2000}?)\\\]|\\\(((?:(?!\\\().){1,500}?)\\\)"  # within none opens: in linear time
    r"|\\begin\{[a-z]{1,20}\*?\}((?:(?!\\begin\b).){1,2000}?)\\end\{[a-z]{1,20}\*?\}"
    r"|(\\boxed(?:\{(?:[^{}\n]|\{(?:[^{}\n]|\{[^{}\n]{0,200}\}){0,200}\}){1,200}\}))",
    re.DOTALL,
)
_ATOM: Final = r"(?:[0-9]{1,30}(?:[.,][0-9]{1,30}){0,8}[a-z]?|[a-zA-Z](?![a-zA-Z])|\\[a-z]{1,12})"
_GAP: Final = r"[ \t]{0,3}"
_PLAIN: Final = re.compile(
    rf"(?<![\w])[-(]{{0,4}}{_ATOM}(?:[()^!%]{{0,4}}{_GAP}[-+*/×÷·=<>≤≥≠≈^]{{1,2}}{_GAP}[-($]{{0,4}}{_ATOM}){{1,40}}[)!%]{{0,4}}"
)


def math_only(text: str) -> str:
    """The formulas of a text, a line each, in their order: LaTeX without its delimiters, and plain equations."""
    found = [(match.start(), _inside(match)) for match in _LATEX.finditer(text)]
    rest = _LATEX.sub(lambda match: "\n" * len(match[0]), text)  # of one length, so that places stay
    found += [(match.start(), match[0]) for match in _PLAIN.finditer(rest)]
    return "\n".join(formula.strip() for _, formula in sorted(found))


def _inside(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)
