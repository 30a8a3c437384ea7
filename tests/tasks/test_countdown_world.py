"""Countdown as a world, by hand."""

from __future__ import annotations

import pytest

from branchwise.tasks.countdown.generator import Puzzle
from branchwise.tasks.countdown.rules import legal_moves, written
from branchwise.tasks.countdown.world import Countdown

PUZZLE = Puzzle(37, (3, 5, 19, 25))


async def test_it_lists_the_steps_that_the_rules_allow() -> None:
    start = await Countdown(PUZZLE).start()
    assert (start.text, start.key, start.reward, start.done) == ("At hand: 3 5 19 25", "3 5 19 25", 0.0, False)
    assert start.actions == tuple(written(PUZZLE.numbers, move) for move in legal_moves(PUZZLE.numbers))


async def test_the_target_ends_it_with_reward_1() -> None:
    environment = Countdown(PUZZLE)
    await environment.start()
    seen = [await environment.step(line) for line in ("19*3=57: 5 25 57", "57-25=32: 5 32", "32+5=37: 37")]
    assert [one.key for one in seen] == ["5 25 57", "5 32", "37"]
    assert [one.reward for one in seen] == [0.0, 0.0, 1.0]
    assert [one.done for one in seen] == [False, False, True]


async def test_it_may_be_reached_with_numbers_left_over() -> None:
    environment = Countdown(Puzzle(8, (3, 5, 19)))
    await environment.start()
    seen = await environment.step("3+5=8: 8 19")
    assert (seen.done, seen.reward) == (True, 1.0)


async def test_the_last_number_ends_it_without_one() -> None:
    environment = Countdown(Puzzle(37, (3, 5)))
    await environment.start()
    seen = await environment.step("3+5=8: 8")
    assert (seen.done, seen.reward, seen.actions) == (True, 0.0, ())


@pytest.mark.parametrize("step", ["3+5=9: 9 19 25", "3+5=8: 19 25", "4+5=9: 9", "3-5=-2: 19 25", "give up", ""])
async def test_a_step_that_breaks_a_rule_ends_it_and_says_so(step: str) -> None:
    environment = Countdown(PUZZLE)
    await environment.start()
    seen = await environment.step(step)
    assert (seen.done, seen.reward) == (True, 0.0)
    assert seen.text == "Not allowed with 3 5 19 25 at hand."


async def test_a_state_is_the_same_whatever_led_there() -> None:
    ways = (["3+5=8: 8 19 25", "8+19=27: 25 27"], ["3+19=22: 5 22 25", "22+5=27: 25 27"])
    keys = set()
    for way in ways:
        environment = Countdown(PUZZLE)
        await environment.start()
        keys.add([await environment.step(line) for line in way][-1])
    assert len(keys) == 1
