"""Beam search at its limits, and the vector of systems.md, section 20."""

from __future__ import annotations

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.search.beam import Options, build, most_draws
from branchwise.orchestrator.search.levels import best, value
from tests.laws.toy import ROOT, run
from tests.search.test_dvts import told


def child(value: float | None, k: int) -> Candidate:
    judgement = failed("nothing") if value is None else judged(value, scale="probability", source="rule")
    return Candidate(ROOT.extend((Step(f"{k}"),), k), None, judgement)


def test_the_vector_of_the_survivors() -> None:
    active = [child(value, k) for k, value in enumerate([0.1, 0.9, 0.4, 0.8, 0.3, 0.2, 0.7, 0.6])]
    assert [candidate.trajectory.lineage for candidate in best(active, 8 // 4, value)] == [(1,), (3,)]


def test_ties_go_to_the_first_grown_and_missing_values_last() -> None:
    active = [child(value, k) for k, value in enumerate([None, 0.5, 0.5, 0.1])]
    assert [c.trajectory.lineage[0] for c in best(active, 4, value)] == [1, 2, 3, 0]


def test_a_width_below_one_still_keeps_one() -> None:
    assert len(best([child(0.1, 0), child(0.2, 1)], 0, value)) == 1


def test_equal_texts_can_be_kept_once() -> None:
    twins = [Candidate(ROOT.extend((Step("same"),), k), None, child(0.5, 0).judgement) for k in range(3)]
    assert len(best(twins, 3, value, deduplicate=True)) == 1


def test_four_by_four_by_six_grows_84_children() -> None:
    options = Options(width=4, expansions=4, depth=6)
    search = build(options, ROOT, 1)
    grown = 0
    while not search.finished:
        for expansion in search.ask(64):
            grown += expansion.count
            search.tell(Outcome(expansion.ticket, tuple(_never_ending(expansion))))
    assert grown == most_draws(options) == 84


def _never_ending(expansion: Expansion) -> list[Candidate]:
    stop = StopReason.ANSWERED if expansion.to_end else None
    return [
        Candidate(
            expansion.parent.extend((Step(f"{k}\n"),), k, stop),
            None,
            judged(k / 10, scale="probability", source="rule"),
        )
        for k in range(expansion.first, expansion.first + expansion.count)
    ]


def test_width_one_without_siblings_is_a_single_chain() -> None:
    asked, search = run(build(Options(width=1, expansions=1, depth=5), ROOT, 1), 8)
    assert all(set(expansion.parent.lineage) <= {0} for expansion in asked)
    assert len(search.candidates()) == 1


def test_full_width_finds_what_enumeration_finds() -> None:
    _, search = run(build(Options(width=10_000, expansions=3, depth=4), ROOT, 1), 64)
    narrow = run(build(Options(width=1, expansions=3, depth=4), ROOT, 1), 64)[1]
    best = max(candidate.value or 0.0 for candidate in search.candidates())
    assert best >= max((candidate.value or 0.0 for candidate in narrow.candidates()), default=0.0)
    lineages = {candidate.trajectory.lineage for candidate in search.candidates()}
    assert {candidate.trajectory.lineage for candidate in narrow.candidates()} <= lineages


def test_ties_go_to_the_first_grown_in_whatever_order_they_were_told() -> None:
    search = build(Options(width=2, expansions=2, depth=4), ROOT, 1)
    search.tell(told(search.ask(64)[0], {(1,): 0.9}))
    better, other = search.ask(64)
    search.tell(told(other, {}))
    search.tell(told(better, {}))
    assert [expansion.parent.lineage for expansion in search.ask(64)] == [(1, 0), (1, 1)]
