"""DVTS: the vector of systems.md, section 20, and what is special about it."""

from __future__ import annotations

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import judged
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.search import beam
from branchwise.orchestrator.search.dvts import Options, build, most_draws
from tests.laws.enumerable import ROOT, play, scattered

Values = dict[tuple[int, ...], float]


def told(expansion: Expansion, values: Values, ends: set[tuple[int, ...]] | None = None) -> Outcome:
    """Children whose values are given by lineage, 0 where not; those in ``ends`` are finished."""
    children = []
    for k in range(expansion.first, expansion.first + expansion.count):
        lineage = (*expansion.parent.lineage, k)
        stop = StopReason.ANSWERED if expansion.to_end or lineage in (ends or set()) else None
        judgement = judged(values.get(lineage, 0.0), scale="probability", source="rule")
        children.append(Candidate(expansion.parent.extend((Step(f"{lineage}\n"),), k, stop), None, judgement))
    return Outcome(expansion.ticket, tuple(children))


def grown_at_depth_1(options: Options | beam.Options, values: list[float]) -> list[int]:
    module_build = build if isinstance(options, Options) else beam.build
    search = module_build(options, ROOT, 1)  # type: ignore[operator]
    for expansion in search.ask(64):
        search.tell(told(expansion, {(k,): value for k, value in enumerate(values)}))
    return [expansion.parent.lineage[0] for expansion in search.ask(64)]


def test_the_vector_of_two_trees() -> None:
    dvts = Options(subtrees=2, expansions=2, depth=3)
    plain = beam.Options(width=2, expansions=2, root_expansions=4, depth=3)
    assert grown_at_depth_1(dvts, [0.9, 0.1, 0.3, 0.2]) == [0, 2]
    assert grown_at_depth_1(plain, [0.9, 0.1, 0.3, 0.2]) == [0, 2]
    assert grown_at_depth_1(dvts, [0.9, 0.8, 0.3, 0.2]) == [0, 2]
    assert grown_at_depth_1(plain, [0.9, 0.8, 0.3, 0.2]) == [0, 1]


def test_all_variants_of_each_last_step_are_candidates() -> None:
    world = scattered(5)
    options = Options(subtrees=3, expansions=4, depth=3)
    asked, search = play(build(options, ROOT, 1), world, world.mean)
    assert len(search.candidates()) == 12
    assert sum(expansion.count for expansion in asked) == most_draws(options) == 36
    assert {candidate.trajectory.lineage[0] // 4 for candidate in search.candidates()} == {0, 1, 2}


def test_a_subtree_never_waits_for_another() -> None:
    search = build(Options(subtrees=2, expansions=2, depth=4), ROOT, 1)
    out = search.ask(64)
    for _ in range(4):  # only ever the first subtree is told
        search.tell(told(out.pop(0), {}))
        out = search.ask(64) + out
    assert len(search.candidates()) == 2
    assert [expansion.ticket for expansion in out] == [1]
    assert not search.finished


def test_a_subtree_ends_with_its_best_child() -> None:
    search = build(Options(subtrees=1, expansions=3, depth=4), ROOT, 1)
    search.tell(told(*search.ask(1), {(1,): 0.9, (2,): 0.5}, ends={(1,), (2,)}))
    assert search.finished
    assert [candidate.trajectory.lineage for candidate in search.candidates()] == [(1,), (2,)]


def test_what_a_subtree_passed_over_is_a_candidate_only_if_wanted() -> None:
    for keep in (False, True):
        search = build(Options(subtrees=1, expansions=2, depth=2, keep_passed_over=keep), ROOT, 1)
        search.tell(told(*search.ask(1), {(0,): 0.9}, ends={(1,)}))
        search.tell(told(*search.ask(1), {}))
        lineages = [candidate.trajectory.lineage for candidate in search.candidates()]
        assert lineages == [(1,)] * keep + [(0, 0), (0, 1)]


def test_a_lost_child_is_never_gone_on_from() -> None:
    search = build(Options(subtrees=1, expansions=2, depth=3), ROOT, 1)
    search.ask(1)
    lost = Candidate(ROOT.extend((), 0, StopReason.FAILED), failure=Failure("backend", "lost"))
    search.tell(Outcome(0, (lost, Candidate(ROOT.extend((Step("unjudged\n"),), 1)))))
    (expansion,) = search.ask(1)
    assert expansion.parent.lineage == (1,)
    search.tell(Outcome(1, (lost, lost)))
    assert search.finished
    assert search.candidates() == []
