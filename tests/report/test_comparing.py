"""Comparing runs: pairs of problems, and a baseline mixed of two sizes until its tokens are those of the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.roles import Grade
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.report.comparing import ReadRun, compared


def run(name: str, tokens: int, right: Any = lambda number: False, count: int = 400) -> ReadRun:
    """A run of so many problems, each of which drew these policy tokens and some of the verifier's."""
    used = (("policy", Usage(completion_tokens=tokens)), ("verifier", Usage(completion_tokens=999)))
    ids = [f"p{number}" for number in range(count)]
    results = [
        Result(each, "a", StopReason.ANSWERED, None, None, drawn=used, grade=Grade(float(right(number))))
        for number, each in enumerate(ids)
    ]
    journal = cast(Any, SimpleNamespace(manifest=SimpleNamespace(seed=1)))
    return ReadRun(name, journal, {each: problem(each, each) for each in ids}, results)


def test_two_runs_are_compared_problem_by_problem() -> None:
    found = compared(run("tree", 90, lambda n: n % 2 == 0), [run("best", 100, lambda n: n % 4 == 0)])
    assert (found.first, found.second, found.other, found.names) == ("tree", "best", None, ("tree", "best"))
    assert (found.both, found.only_first, found.only_second, found.neither) == (100, 100, 0, 200)
    assert found.tokens == 0.9


def test_only_problems_that_all_finished_count() -> None:
    found = compared(run("tree", 90), [run("small", 80, count=300), run("great", 100, count=200)])
    assert found.neither == 200


def test_between_two_sizes_tokens_are_equal_and_every_outcome_is_one_of_theirs() -> None:
    tree, small, great = run("tree", 95), run("small", 80), run("great", 100, lambda number: True)
    found = compared(tree, [great, small])
    assert (found.second, found.other, found.share) == ("small", "great", 0.75)
    assert found.tokens is not None
    assert abs(found.tokens - 1) < 0.01
    assert abs(found.only_second / 400 - 0.75) < 0.07
    assert found.only_second + found.neither == 400
    assert compared(tree, [small, great]) == found


def test_outside_the_sizes_the_tokens_tell() -> None:
    found = compared(run("tree", 150), [run("small", 80), run("great", 100)])
    assert (found.second, found.other, found.tokens) == ("great", None, 1.5)
