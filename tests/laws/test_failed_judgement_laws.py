"""The law of failed judgements, for every search found on disk: no number stands in for one, and it attracts nothing.

Below one first step every judgement fails, below the other all are 0.9; the control says 0, the worst there is.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from branchwise.orchestrator.core.expansion import Candidate, Expansion
from branchwise.orchestrator.core.judgement import Judgement, failed, judged
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.selection import select
from branchwise.orchestrator.plugins import find
from tests.laws.enumerable import ROOT, Actions, World, play
from tests.laws.toy import all_settings

UNJUDGED = 0
"""The first step below which nothing can be judged: the first drawn, and the policy's favourite."""

Verdict = Callable[[Actions], Judgement]

every_search = pytest.mark.parametrize("options", all_settings(), ids=lambda options: repr(options)[:60])
worlds = pytest.mark.parametrize(
    "world", [World(lambda _: 0.5, depth, 2) for depth in (2, 4, 6)], ids=["2", "4", "6"]
)


def shared_step() -> list[Options]:
    """The searches that hold a step to what comes of it.

    Not so: lookahead keeps the step's own judgement where that of its future failed, and AB-MCTS draws where to go by
    chance, and two children of a node before it is passed by.
    """
    others = ("ab_mcts", "by_difficulty")
    settings = [each for each in all_settings() if each.kind not in others]
    return [each for each in settings if not getattr(each, "lookahead", 0)]


def good() -> Judgement:
    return judged(0.9, scale="probability", source="judge")


def verdict(lost: Judgement, first: int) -> Verdict:
    """0.9, but ``lost`` below the unjudged step, from the text of so many steps on."""
    return lambda actions: lost if actions[0] == UNJUDGED and len(actions) >= first else good()


FAILS = failed("no mark can be read", "judge")
WORST = judged(0.0, scale="probability", source="judge")


def trial(options: Options, world: World, judge: Verdict) -> tuple[list[Expansion], Search]:
    return play(find("search", options.kind).module.build(options, ROOT, 1), world, judge, window=8)


def spent_below(asked: list[Expansion], world: World) -> int:
    """Draws that were made below the unjudged step."""
    parents = [(expansion.parent.stem, expansion.count) for expansion in asked]
    return sum(count for parent, count in parents if world.actions(parent)[:1] == (UNJUDGED,))


def answer(options: Options, search: Search) -> Candidate | None:
    recommend = getattr(search, "recommended", lambda: None)
    return select(getattr(options, "own_select", "naive"), search.candidates(), recommend()).candidate


@every_search
@worlds
def test_a_judged_answer_wins_where_it_wins_over_the_worst(options: Options, world: World) -> None:
    (_, worst), (_, lost) = trial(options, world, verdict(WORST, 1)), trial(options, world, verdict(FAILS, 1))
    if options.kind == "ab_mcts" and not any(each.value for each in lost.candidates()):
        return  # it may finish but one answer, of whatever child is drawn last
    if (found := answer(options, worst)) is not None and found.value == 0.9:
        found = answer(options, lost)
        assert found is not None
        assert found.value == 0.9


def assert_no_more_than_the_worst(options: Options, world: World, first: int) -> None:
    lost, _ = trial(options, world, verdict(FAILS, first))
    worst, _ = trial(options, world, verdict(WORST, first))
    assert spent_below(lost, world) <= spent_below(worst, world)


@every_search
@worlds
def test_what_can_not_be_judged_gets_no_more_than_the_worst(options: Options, world: World) -> None:
    assert_no_more_than_the_worst(options, world, first=1)


@pytest.mark.parametrize("options", shared_step(), ids=lambda options: repr(options)[:60])
@worlds
def test_below_a_step_that_was_judged_too(options: Options, world: World) -> None:
    assert_no_more_than_the_worst(options, world, first=2)
