"""The laws of every search algorithm that is found on disk."""

from __future__ import annotations

import asyncio
import random

import pytest

from branchwise.orchestrator.core.decisions import Asked, Decision, Stopped, Told
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.saving import restore, save
from branchwise.orchestrator.engine.driver import Driver
from branchwise.orchestrator.journal.decisions import DecisionLog
from branchwise.orchestrator.plugins import find
from tests.laws.toy import ROOT, all_settings, grow, new_search, run

every_search = pytest.mark.parametrize("options", all_settings(), ids=lambda options: repr(options)[:60])


@every_search
@pytest.mark.parametrize("window", [1, 2, 64])
@pytest.mark.parametrize("failure_rate", [0.0, 0.3, 1.0])
def test_it_ends_and_asks_within_its_room(options: Options, window: int, failure_rate: float) -> None:
    asked, search = run(new_search(options), window, failure_rate)
    assert [expansion.ticket for expansion in asked] == list(range(len(asked)))
    assert search.finished
    assert search.ask(64) == []
    assert all(candidate.done for candidate in search.candidates())


@every_search
def test_siblings_are_numbered_without_gaps_or_repeats(options: Options) -> None:
    asked, _ = run(new_search(options), 64)
    numbers: dict[tuple[int, ...], list[int]] = {}
    for expansion in asked:
        numbers.setdefault(expansion.parent.lineage, []).extend(
            range(expansion.first, expansion.first + expansion.count)
        )
    assert all(sorted(found) == list(range(len(found))) for found in numbers.values())


@every_search
def test_the_predicted_number_of_draws_is_never_exceeded(options: Options) -> None:
    asked, _ = run(new_search(options), 64)
    assert sum(expansion.count for expansion in asked) <= find("search", options.kind).module.most_draws(options)


@every_search
@pytest.mark.parametrize("failure_rate", [0.0, 0.3])
def test_saving_and_restoring_after_every_tell_changes_nothing(options: Options, failure_rate: float) -> None:
    def reborn(search: Search) -> Search:
        fresh = new_search(options)
        restore(fresh, save(search))
        return fresh

    plain, ended = run(new_search(options), 3, failure_rate)
    again, also = run(new_search(options), 3, failure_rate, reborn)
    assert plain == again
    assert ended.candidates() == also.candidates()


@every_search
@pytest.mark.parametrize("failure_rate", [0.0, 0.3])
def test_any_order_of_telling_ends_alike_when_saved_and_restored_after_every_tell(
    options: Options, failure_rate: float
) -> None:
    def told(restored: bool, order: int) -> tuple[list[Expansion], list[Candidate]]:
        search, rng = new_search(options), random.Random(order)
        asked: list[Expansion] = []
        out: list[Expansion] = []
        while not search.finished:
            new = search.ask(8 - len(out))
            asked += new
            out += new
            search.tell(grow(out.pop(rng.randrange(len(out))), failure_rate))
            if restored:
                saved, search = save(search), new_search(options)
                restore(search, saved)
        assert [expansion.ticket for expansion in asked] == list(range(len(asked)))
        return asked, search.candidates()

    for order in range(4):
        assert told(False, order) == told(True, order)


async def drive(options: Options, log: DecisionLog, latency: random.Random, window: int = 8) -> list[Candidate]:
    search = new_search(options)

    async def expand(expansion: Expansion) -> Outcome:
        for _ in range(latency.randrange(6)):
            await asyncio.sleep(0)
        return grow(expansion, 0.2)

    await Driver(search, expand, log, window).run()
    return search.candidates()


@every_search
async def test_one_tree_under_any_order_of_completion(options: Options) -> None:
    trees = []
    for order in range(8):
        rows: list[tuple[str, str]] = []
        log = DecisionLog(ROOT, lambda seq, kind, payload, rows=rows: rows.append((kind, payload)))  # type: ignore[misc]
        found = await drive(options, log, random.Random(order))
        trees.append(([row for row in rows if row[0] != "settle"], found))
    assert all(tree == trees[0] for tree in trees)


@every_search
async def test_replaying_any_prefix_of_the_decisions_leads_to_the_same_end(options: Options) -> None:
    rows: list[tuple[str, str]] = []
    log = DecisionLog(ROOT, lambda seq, kind, payload: rows.append((kind, payload)))
    found = await drive(options, log, random.Random(1))
    for cut in range(len(rows) + 1):
        again = list(rows[:cut])
        log = DecisionLog(
            ROOT,
            lambda seq, kind, payload, again=again: again.append((kind, payload)),
            list(again),  # type: ignore[misc]
        )
        assert await drive(options, log, random.Random(cut)) == found
        assert [row for row in again if row[0] != "settle"] == [row for row in rows if row[0] != "settle"]


@every_search
async def test_every_ticket_is_told_once_or_cancelled(options: Options) -> None:
    seen: list[Decision] = []
    search = new_search(options)

    async def expand(expansion: Expansion) -> Outcome:
        return grow(expansion)

    await Driver(search, expand, DecisionLog(ROOT, lambda *row: None), notify=seen.append).run()
    asked = [e.ticket for decision in seen if isinstance(decision, Asked) for e in decision.expansions]
    told = [decision.outcome.ticket for decision in seen if isinstance(decision, Told)]
    (cancelled,) = [decision.cancelled for decision in seen if isinstance(decision, Stopped)]
    assert sorted([*told, *cancelled]) == asked
