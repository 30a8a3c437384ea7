"""Step verdicts: steps as a verifier is shown them, and its verdict on each as it writes it.

1. Steps are numbered anew, ``Step 1:`` and so on, whatever the policy called them, or lines within them.
2. A verdict is ``\\boxed{correct}`` or ``\\boxed{incorrect}``, one for each step, under its heading ``Step 1:`` and
   so on; where the verifier writes no headings at all, as many as there are steps. Else, and where one is denied
   (``not \\boxed{correct}``), nobody can say which step is meant how, and there are none.
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

_NUMBERED: Final = re.compile(r"^[ \t]*Step[ \t]{0,4}[0-9]{1,4}[ \t]{0,4}[:.](?![0-9])", re.IGNORECASE | re.MULTILINE)
_SAID: Final = re.compile(
    r"^[^\w\n]{0,8}Step[ \t]{0,4}(?P<step>[0-9]{1,4})[ \t]{0,4}[:.](?![0-9])"
    r"|(?P<denied>\b(?:not|never)\b[\W_]{0,8})?\\boxed\{\s{0,8}(?:\\text\{)?\s{0,8}(?P<verdict>correct|incorrect)\s{0,8}\}",
    re.IGNORECASE | re.MULTILINE,
)


def numbered(steps: Sequence[str]) -> str:
    """The steps, a paragraph each, under numbers that count from 1; of none, an empty one."""
    bare = [_NUMBERED.sub("", step.strip()).strip() for step in steps or [""]]
    return "\n\n".join(f"Step {number}: {step}" for number, step in enumerate(bare, 1))


def verdicts(text: str, count: int) -> tuple[bool, ...]:
    """Whether each of ``count`` steps is called correct; none at all where there is not one verdict on each."""
    heading, places, found = "", list[str](), list[bool]()
    for said in _SAID.finditer(text):
        heading = said["step"] or heading
        if said["denied"]:
            return ()
        if said["verdict"]:
            places.append(heading)
            found.append(said["verdict"].lower() == "correct")
    told = not heading or places == [str(number) for number in range(1, count + 1)]
    return tuple(found) if told and len(found) == count else ()


def shares(chains: Sequence[tuple[bool, ...]]) -> tuple[float, ...]:
    """For each step the share of chains that call it correct; chains without verdicts do not count."""
    speaking = [chain for chain in chains if chain]
    return tuple(fmean(step) for step in zip(*speaking, strict=True))


def first_wrong(step_shares: Sequence[float]) -> int | None:
    """The number, from 1, of the first step that most chains call wrong; None where there is no such step."""
    return next((number for number, share in enumerate(step_shares, 1) if share < 0.5), None)
