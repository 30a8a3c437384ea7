"""What was lost to failures, in a sentence each: it stands beside the numbers, since they are made without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.trajectory import StopReason

LONGEST: Final = 160
"""Characters of a reason."""


def losses(results: Sequence[Result], judge: str) -> Iterator[str]:
    """Of a run's judgements, made by ``judge``, and of all else by boundary; each with its most frequent reason."""
    failures = [failure for result in results for failure in result.failures]
    judgements = [failure for failure in failures if failure.boundary == "reward"]
    others = [failure for failure in failures if failure.boundary != "reward"]
    if judgements:
        made = sum(result.judgements for result in results)
        yield f"{_judgements(len(judgements), made, judge)}; {_reason(judgements)}"
    if others:
        counts = ", ".join(f"{boundary} {count}" for boundary, count in Counter(f.boundary for f in others).items())
        yield f"{_lost(results)}: {counts}; {_reason(others)}"


def _lost(results: Sequence[Result]) -> str:
    """What is said of candidates that were lost: in capitals where no problem was left."""
    every = all(result.answer is None and result.stop is StopReason.FAILED for result in results)
    return f"ALL {len(results)} PROBLEMS WERE LOST" if every else "lost to failures elsewhere"


def _judgements(lost: int, made: int, judge: str) -> str:
    if lost == made:
        return f"ALL {made} JUDGEMENTS WERE LOST ({judge}): what is shown is not what this reward would choose"
    of_all = f" of {made}" if made > lost else ""  # of an older run it is not known how many there were
    return f"{judge} lost {lost}{of_all} judgements"


def _reason(failures: Sequence[Failure]) -> str:
    ((message, count),) = Counter(failure.message for failure in failures).most_common(1)
    brief = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
    return f"most often ({count}): {brief}"
