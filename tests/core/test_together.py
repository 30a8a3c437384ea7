"""Several calls at once: results in order, and errors as single calls raise them."""

from __future__ import annotations

import asyncio

import pytest

from branchwise.orchestrator.core.errors import BackendError, BudgetRefused, Suspended
from branchwise.orchestrator.core.together import bare, together


async def after(turns: int, outcome: object) -> object:
    """The outcome, returned or raised, after so many turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def test_results_stand_in_the_order_of_the_calls() -> None:
    assert await together([after(3 - k, k) for k in range(3)]) == [0, 1, 2]


async def test_the_first_error_is_raised_by_itself_and_cancels_the_others() -> None:
    ended = list[str]()

    async def other() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(BackendError, match="down"):
        await together([after(1, BackendError("down")), other()])
    assert ended == ["cancelled"]


async def test_where_the_run_is_suspended_the_others_come_to_rest_first() -> None:
    landed = list[str]()

    async def slow() -> None:
        await asyncio.sleep(0.01)
        landed.append("paid")

    with pytest.raises(Suspended):
        await together([after(0, Suspended("stop")), slow()])
    assert landed == ["paid"]


@pytest.mark.parametrize(
    ("errors", "foremost"),
    [
        ((BackendError("a"), BudgetRefused("run", "tokens", 1, 2)), BudgetRefused),
        ((BudgetRefused("run", "tokens", 1, 2), Suspended("stop")), Suspended),
        ((Suspended("stop"), ZeroDivisionError()), ZeroDivisionError),
    ],
)
async def test_of_a_plug_ins_group_the_foremost_error_is_raised(
    errors: tuple[Exception, ...], foremost: type[Exception]
) -> None:
    async def grouped() -> None:
        raise ExceptionGroup("outer", [ExceptionGroup("inner", errors[:1]), *errors[1:]])

    with pytest.raises(foremost):
        await bare(grouped())
