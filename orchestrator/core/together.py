"""Several calls at once, whose errors come out as single calls' would: never in a group.

``asyncio.TaskGroup`` raises groups, which no ``except BudgetRefused`` catches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar, cast

from branchwise.orchestrator.core.errors import BranchwiseError, BudgetRefused, JournalError

T = TypeVar("T")


async def together(wanted: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Everything at once, results in order. The first error cancels the others and is raised as it is.

    Where the run is being suspended, the others come to rest first: they are paid for. A single call has no task.
    """
    if len(wanted) == 1:
        return [await wanted[0]]
    stops: list[JournalError] = []

    async def one(call: Coroutine[Any, Any, T]) -> T | None:
        try:
            return await call
        except JournalError as stop:
            stops.append(stop)
            return None

    tasks: list[asyncio.Task[T | None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(call)) for call in wanted]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if stops:
        raise stops[0]
    return [cast(T, task.result()) for task in tasks]


async def arrived(value: T | Awaitable[T]) -> T:
    """A value that is there, or that is still worked out."""
    return await value if isinstance(value, Awaitable) else value


async def bare(call: Awaitable[T]) -> T:
    """What a plug-in's call brings. Of a group of errors the foremost: a bug, what stops the run, an empty budget."""
    try:
        return await call
    except BaseExceptionGroup as group:
        raise min(leaves(group), key=_rank) from None


def _rank(error: BaseException) -> int:
    kinds: tuple[type[BaseException], ...] = (JournalError, BudgetRefused, BranchwiseError)
    return next((place for place, kind in enumerate(kinds) if isinstance(error, kind)), -1)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, however deep; an error that is no group by itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
