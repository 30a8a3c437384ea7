"""Step verdicts: steps as a verifier is shown them, and its verdict on each as it writes it.

1. Steps are numbered anew, ``Step 1:`` and so on, whatever the policy called them.
2. A verdict is ``\\boxed{correct}`` or ``\\boxed{incorrect}``. Where there are not as many as steps, nobody can say
   which of them is meant, and there are none.
3. Over several chains a step's value is the share of those chains that call it correct; the first wrong step is the
   first that less than half of them do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Final

PROMPT: Final = """Verify a solution step by step. It may be unfinished: then verify the steps that are there only.

Problem:
$problem

Solution:
$steps

Criticise each step in turn, under its own heading, `Step 1:` and so on. End each critique with the verdict,
`The step is \\boxed{correct}` or `The step is \\boxed{incorrect}`.
"""

_NUMBERED: Final = re.compile(r"\A\s{0,20}Step[ \t]{0,4}[0-9]{1,4}[ \t]{0,4}[:.](?![0-9])", re.IGNORECASE)
_VERDICT: Final = re.compile(r"\\boxed\{\s{0,8}(?:\\text\{)?\s{0,8}(correct|incorrect)\s{0,8}\}", re.IGNORECASE)


def numbered(steps: Sequence[str]) -> str:
    """The steps, a paragraph each, under numbers that count from 1; of none, an empty one."""
    bare = [_NUMBERED.sub("", step, count=1).strip() for step in steps or [""]]
    return "\n\n".join(f"Step {number}: {step}" for number, step in enumerate(bare, 1))


def verdicts(text: str, count: int) -> tuple[bool, ...]:
    """Whether each of ``count`` steps is called correct; none at all where there is another number of verdicts."""
    found = tuple(match[1].lower() == "correct" for match in _VERDICT.finditer(text))
    return found if len(found) == count else ()


def shares(chains: Sequence[tuple[bool, ...]]) -> tuple[float, ...]:
    """For each step the share of chains that call it correct; chains without verdicts do not count."""
    speaking = [chain for chain in chains if chain]
    return tuple(fmean(step) for step in zip(*speaking, strict=True))


def first_wrong(step_shares: Sequence[float]) -> int | None:
    """The number, from 1, of the first step that most chains call wrong; None where there is no such step."""
    return next((number for number, share in enumerate(step_shares, 1) if share < 0.5), None)
