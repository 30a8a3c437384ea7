"""Graded answers: every finished, judged answer in a run's journal that is known to be right or wrong.

1. What states no answer is wrong.
2. An answer that is, in the canonical form that its task gave it, the one that the run gave has that one's grade.
3. Any other is right if it has the expected one's form; where none is expected, it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from branchwise.orchestrator.core.answers import canonical
from branchwise.orchestrator.core.decisions import Told
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Scale
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.evaluation.calibrating import Graded
from branchwise.orchestrator.journal.reader import Recorded


@dataclass(frozen=True, slots=True)
class Sample:
    """Graded answers, and the scale of their values; None where there are none. ``left_out`` are of unknown grade."""

    answers: tuple[Graded, ...]
    scale: Scale | None
    left_out: int = 0


def graded_answers(journal: Recorded, most_problems: int | None = None) -> Sample:
    """The graded answers of a run, of its first problems. ValueError where their values are on several scales."""
    problems = {problem.id: problem for problem in journal.problems()}
    answers, scales, left_out = list[Graded](), set[Scale](), 0
    known = (each for each in journal.results() if each.grade is not None and each.grade.correct is not None)
    for result in islice(known, most_problems):
        if result.problem_id not in problems:
            continue
        candidates = _finished(journal, problems[result.problem_id])
        given = _given(candidates, result.answer)
        for candidate in candidates:
            if candidate.value is None:
                continue
            correct = is_correct(candidate, result, given)
            if correct is None or candidate.judgement is None:
                left_out += 1
                continue
            scales.add(candidate.judgement.scale)
            answers.append(Graded(candidate.value, correct, result.problem_id))
    if len(scales) > 1:
        raise ValueError(f"the values are on different scales: {', '.join(sorted(scales))}")
    return Sample(tuple(answers), next(iter(scales), None), left_out)


def is_correct(candidate: Candidate, result: Result, given: str | None = None) -> bool | None:
    """Whether a finished answer to a graded problem is right; None where that is not known.

    ``given`` is the canonical form of the answer that the run gave, where that is known.
    """
    grade, answer = result.grade, candidate.answer
    if answer is None:
        return False
    if grade is None or grade.correct is None:
        return None
    if answer.canonical == given:
        return grade.correct >= 1.0
    expected = grade.canonical or canonical(grade.expected)
    return answer.canonical == expected if expected is not None else None


def _finished(journal: Recorded, problem: Problem) -> list[Candidate]:
    told = [
        each.outcome for search in journal.searches(problem) for each in search.decisions if isinstance(each, Told)
    ]
    return [each for outcome in told for each in outcome.candidates if each.done]


def _given(candidates: Sequence[Candidate], text: str | None) -> str | None:
    """The form that the task gave the answer of this text."""
    forms = (each.answer.canonical for each in candidates if each.answer is not None and each.answer.text == text)
    return next(forms, None) or canonical(text)
