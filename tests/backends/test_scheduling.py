"""Whose call goes first: each rule, and that nobody holds what is not his."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from branchwise.orchestrator.backends.scheduling import Slots, Turns
from branchwise.orchestrator.core.outlook import Outlook
from branchwise.orchestrator.core.scope import scope


async def served(turns: Turns, waiting: dict[str, tuple[int, Outlook]], slots: int = 1) -> list[str]:
    """The order in which calls are served that wait for slots others hold: by problem, how many and its outlook."""
    gate, order = Slots(slots, turns), []
    with scope(problem_id="before"):
        held = [await gate.acquire() for _ in range(slots)]

    async def call(name: str, outlook: Outlook) -> None:
        with scope(problem_id=name, outlook=outlook):
            slot = await gate.acquire()
        order.append(name)
        await asyncio.sleep(0)
        gate.release(slot)

    tasks = [
        asyncio.create_task(call(name, outlook)) for name, (count, outlook) in waiting.items() for _ in range(count)
    ]
    await asyncio.sleep(0)
    assert gate.waiting == len(tasks)
    for slot in held:
        gate.release(slot)
    await asyncio.wait(tasks)
    assert gate.waiting == 0
    assert not gate._parties
    return order


@pytest.mark.parametrize("slots", [1, 3])
async def test_fair_lets_a_small_problem_through_between_a_large_ones_calls(slots: int) -> None:
    order = await served("fair", {"large": (50, Outlook()), "small": (2, Outlook())}, slots)
    assert [place for place, name in enumerate(order) if name == "small"][-1] <= 3 + slots


async def test_arrival_serves_the_large_one_first() -> None:
    assert (
        await served("arrival", {"large": (5, Outlook()), "small": (2, Outlook())}) == ["large"] * 5 + ["small"] * 2
    )


async def test_shortest_remaining_first_and_those_that_do_not_say_last() -> None:
    waiting = {"unknown": (2, Outlook()), "long": (2, Outlook(40)), "short": (2, Outlook(3))}
    assert await served("shortest_remaining", waiting) == ["short"] * 2 + ["long"] * 2 + ["unknown"] * 2


async def test_the_vote_that_says_most_first() -> None:
    waiting = {
        "settled": (1, Outlook(votes=Counter(a=8))),
        "open": (1, Outlook(votes=Counter(a=4, b=4))),
        "new": (1, Outlook()),
    }
    assert await served("value_of_information", waiting) == ["new", "open", "settled"]


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    gate = Slots(1, "fair")
    slot = await gate.acquire()
    waiter = asyncio.create_task(gate.acquire())
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.wait([waiter])
    gate.release(slot)
    assert not gate._parties
    gate.release(await asyncio.wait_for(gate.acquire(), 1))


async def test_a_slot_given_to_one_who_is_cancelled_in_the_same_turn_goes_on_to_the_next() -> None:
    gate = Slots(1, "fair")
    slot = await gate.acquire()
    first, second = asyncio.create_task(gate.acquire()), asyncio.create_task(gate.acquire())
    await asyncio.sleep(0)
    gate.release(slot)
    first.cancel()
    gate.release(await asyncio.wait_for(second, 1))
    assert not gate._parties


@pytest.mark.parametrize("turns", ["fair", "arrival"])
async def test_all_of_a_problems_waiters_may_be_cancelled_at_once(turns: Turns) -> None:
    gate = Slots(1, turns)
    with scope(problem_id="first"):
        slot = await gate.acquire()
    with scope(problem_id="second"):
        waiting = [asyncio.create_task(gate.acquire()) for _ in range(3)]
    await asyncio.sleep(0)
    for waiter in waiting:
        waiter.cancel()
    await asyncio.wait(waiting)
    assert all(waiter.cancelled() for waiter in waiting)
    gate.release(slot)
    assert not gate._parties
    gate.release(await asyncio.wait_for(gate.acquire(), 1))
