"""What a report says of what was lost: how much of how much, why most often, and loudly where it was all."""

from __future__ import annotations

import json

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.journal.results import result_from, result_json
from branchwise.orchestrator.report.data import Strategy
from branchwise.orchestrator.report.losses import LONGEST, losses


def result(judgements: int, *failures: tuple[str, str]) -> Result:
    lost = tuple(Failure(boundary, message) for boundary, message in failures)  # type: ignore[arg-type]
    return Result("p", "4", StopReason.ANSWERED, failures=lost, judgements=judgements)


def said(*results: Result) -> list[str]:
    return list(losses(results, "the reward judge"))


def test_where_nothing_was_lost_nothing_is_said() -> None:
    assert said(result(8), result(0)) == []


def test_judgements_are_counted_with_their_most_frequent_reason() -> None:
    first = result(8, ("reward", "no mark"), ("reward", "off the scale"))
    assert said(first, result(8, ("reward", "no mark"))) == [
        "the reward judge lost 3 of 16 judgements; most often (2): no mark"
    ]


def test_where_all_were_lost_it_is_said_loudly() -> None:
    (note,) = said(result(1, ("reward", "no mark")), result(1, ("reward", "no mark")))
    assert note.startswith("ALL 2 JUDGEMENTS WERE LOST (the reward judge): ")
    assert note.endswith("; most often (2): no mark")


def test_of_an_older_run_it_is_not_known_how_many_there_were() -> None:
    assert said(result(0, ("reward", "no mark"))) == ["the reward judge lost 1 judgements; most often (1): no mark"]


def test_what_was_lost_elsewhere_is_counted_by_boundary() -> None:
    one = result(2, ("backend", "HTTP 500"), ("format", "no step"), ("backend", "HTTP 500"))
    assert said(one) == ["lost to failures elsewhere: backend 2, format 1; most often (2): HTTP 500"]


def test_a_long_reason_is_cut() -> None:
    (note,) = said(result(9, ("reward", "x" * 10_000)))
    assert note.endswith(f": {'x' * (LONGEST - 1)}…")


def test_a_strategy_is_unjudged_where_judgements_were_made_and_all_of_them_lost() -> None:
    def unjudged(judgements: int, **lost: int) -> bool:
        one = Strategy(name="s", algorithm="a", attempted=1, graded=1, correct=1, judgements=judgements)
        return one.model_copy(update={"candidates_lost": lost}).unjudged

    assert unjudged(3, reward=3, backend=1)
    assert not unjudged(3, reward=2)
    assert not unjudged(0)
    assert not unjudged(0, reward=2)  # of an older run


def test_a_result_on_record_without_the_number_of_its_judgements_is_read() -> None:
    asked = problem("What is 2 + 2?", "p")
    row = json.loads(result_json(result(3)))
    assert result_from(asked, json.dumps(row)).judgements == 3
    del row["judgements"]
    assert result_from(asked, json.dumps(row)).judgements == 0
