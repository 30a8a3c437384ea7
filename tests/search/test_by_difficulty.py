"""Allocation by difficulty: what the first pass tells, what it decides, and that no draw is paid for twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import ConfigError, Failure
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.search.bins import Bin, Mixture, chosen
from branchwise.orchestrator.search.by_difficulty import Options, build, most_draws
from branchwise.orchestrator.search.difficulty import By, ease
from branchwise.orchestrator.search.greedy import Options as Greedy
from branchwise.orchestrator.workflow.load import read_workflow
from tests.laws.toy import ROOT, WRITTEN, grow, new_search, run


def options_of(**settings: Any) -> Options[Any]:
    options = WRITTEN.validate_python({"kind": "by_difficulty", **settings})
    assert isinstance(options, Options)
    return options


def after(first_pass: int, **algorithm: Any) -> Search:
    """One bin, so that this algorithm follows whatever the first pass says."""
    return build(options_of(first_pass=first_pass, bins=[{"algorithm": algorithm}]), ROOT, 1)


def plain(**algorithm: Any) -> Search:
    return new_search(WRITTEN.validate_python(algorithm))


def drawn(asked: list[Expansion]) -> list[tuple[tuple[int, ...], int]]:
    """Parent and number of every child that was asked for, in order."""
    return [(e.parent.lineage, k) for e in asked for k in range(e.first, e.first + e.count)]


def answer(text: str | None, value: float | None = None, k: int = 0) -> Candidate:
    judgement = failed("NaN") if value is None else judged(value, scale="probability", source="learned")
    trajectory = ROOT.extend((), k, StopReason.ANSWERED)
    return Candidate(trajectory, Answer(text, text) if text is not None else None, judgement)


LOST = Candidate(ROOT.extend((), 9, StopReason.FAILED), failure=Failure("backend", "lost"))


@pytest.mark.parametrize(
    ("by", "told", "expected"),
    [
        ("value", [answer("A", 0.2), answer("B", 0.4), answer("A", 0.9)], 0.5),
        ("value", [answer("A", 0.2), answer("B"), LOST], 0.2),
        ("value", [answer("A"), answer("A")], None),
        ("value", [answer("A", 1e100)] * 4, 1e100),
        ("agreement", [answer("A"), answer("A"), answer("B"), answer(None)], 0.5),
        ("agreement", [answer("A"), answer("A"), LOST], 1.0),
        ("agreement", [answer(None), answer(None)], None),
        ("agreement", [LOST, LOST], None),
    ],
)
def test_how_easy_a_problem_looks(by: By, told: list[Candidate], expected: float | None) -> None:
    assert ease(told, by) == expected


def test_bins_hold_their_ends_and_what_says_nothing_is_hard() -> None:
    bins = [Bin(up_to=end, algorithm=Greedy()) for end in (0.25, 0.5, None)]
    found = {looks: chosen(bins, looks, 0) for looks in (None, 0.0, 0.25, 0.2501, 0.5, 0.9)}
    assert [next(k for k, each in enumerate(bins) if each.algorithm is one) for one in found.values()] == [
        0, 0, 0, 1, 1, 2,
    ]  # fmt: skip


def test_a_mixture_has_its_share_and_a_problem_keeps_its_choice() -> None:
    one, other = Greedy(), Greedy()
    bins = [Bin(algorithm=one, mixture=Mixture(share=0.3, algorithm=other))]
    picks = [chosen(bins, 0.5, seed) for seed in range(3000)]
    assert [id(pick) for pick in picks] == [id(chosen(bins, 0.5, seed)) for seed in range(3000)]
    assert abs(sum(pick is other for pick in picks) - 900) < 3 * (3000 * 0.3 * 0.7) ** 0.5


@pytest.mark.parametrize("failure_rate", [0.0, 0.3])
@pytest.mark.parametrize("window", [1, 3, 64])
@pytest.mark.parametrize("settings", [{"n": 16}, {"n": 16, "batch": 3}, {"n": 16, "stop": "beta"}, {"n": 4}])
def test_best_of_n_after_a_first_pass_is_best_of_n(
    settings: dict[str, Any], window: int, failure_rate: float
) -> None:
    asked, ended = run(after(4, kind="best_of_n", **settings), window, failure_rate)
    alone, also = run(plain(kind="best_of_n", **settings), window, failure_rate)
    assert ended.candidates() == also.candidates()
    assert drawn(asked) == drawn(alone)[: len(drawn(asked))]
    assert "stop" in settings or len(drawn(asked)) == settings["n"]


def test_sixteen_after_four_pays_for_twelve() -> None:
    asked, _ = run(after(4, kind="best_of_n", n=16), 64)
    assert drawn(asked) == [((), k) for k in range(16)]
    assert most_draws(options_of(first_pass=4, bins=[{"algorithm": {"kind": "best_of_n", "n": 16}}])) == 16


def test_what_the_first_pass_is_enough_for_draws_no_more() -> None:
    asked, search = run(after(4, kind="best_of_n", n=2), 64)
    assert drawn(asked) == [((), k) for k in range(4)]
    assert len(search.candidates()) == 4


def test_steps_after_a_first_pass_are_numbered_on_and_all_answers_count() -> None:
    asked, search = run(after(3, kind="beam", width=2, expansions=3, depth=3), 64)
    at_root = [(e.first, e.count, e.to_end) for e in asked if e.parent == ROOT]
    assert at_root == [(0, 1, True), (1, 1, True), (2, 1, True), (3, 3, False)]
    lineages = [candidate.trajectory.lineage for candidate in search.candidates()]
    assert lineages[:3] == [(0,), (1,), (2,)]
    assert len(set(lineages)) == len(lineages) > 3


def test_an_adaptive_search_is_given_earlier_answers_whenever_it_goes_wider() -> None:
    asked, search = run(after(3, kind="ab_mcts", expansions=20, depth=3), 1)
    wider, deeper = ([e for e in asked if (e.parent == ROOT) is at_root] for at_root in (True, False))
    assert [e.first for e in wider] == list(range(len(wider)))
    assert len(wider) >= 3
    assert len(asked) < 3 + 20
    assert deeper
    assert len({each.trajectory.lineage for each in search.candidates()}) == len(search.candidates())


def test_a_greedy_answer_is_not_one_of_the_first_pass() -> None:
    asked, _ = run(after(2, kind="greedy"), 64)
    assert [(e.first, e.temperature) for e in asked] == [(0, None), (1, None), (2, 0.0)]


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, 8), (1.0, 5)])
def test_the_first_pass_decides(threshold: float, expected: int) -> None:
    hard, easy = ({"kind": "best_of_n", "n": n} for n in (5, 8))
    bins = [{"up_to": threshold, "algorithm": hard}, {"algorithm": easy}]
    asked, _ = run(build(options_of(bins=bins), ROOT, 1), 64)
    assert len(drawn(asked)) == expected


def test_problems_spread_over_the_bins_as_their_agreement_has_it() -> None:
    bins = [{"up_to": end, "algorithm": {"kind": "best_of_n", "n": n}} for end, n in ((0.5, 7), (0.75, 6), (None, 5))]
    options = options_of(by="agreement", bins=bins)
    seen = Counter[int]()
    for texts in ("AAAA", "AAAB", "AABB", "AABC", "ABCD"):
        search = build(options, ROOT, 1)
        for number, expansion in enumerate(search.ask(64)):
            told = grow(expansion)
            candidate = answer(texts[number], 0.5, number)
            search.tell(type(told)(told.ticket, (candidate,)))
        seen[4 + len(search.ask(64))] += 1
    assert seen == {5: 1, 6: 1, 7: 3}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": [{"up_to": 0.5, "algorithm": {"kind": "greedy"}}]}, "the last has none"),
        ({"bins": [{"algorithm": {"kind": "greedy"}}] * 2}, "every bin but the last"),
        (
            {"bins": [{"up_to": end, "algorithm": {"kind": "greedy"}} for end in (0.5, 0.5, None)]},
            "from hard to easy",
        ),
        ({"bins": []}, "at least 1"),
        ({"by": "agreement", "first_pass": 1, "bins": [{"algorithm": {"kind": "greedy"}}]}, "agrees with nobody"),
        ({"bins": [{"up_to": float("inf"), "algorithm": {"kind": "greedy"}}]}, "finite"),
    ],
)
def test_what_can_not_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        options_of(**settings)


def test_it_wants_what_its_algorithms_want() -> None:
    voting = options_of(by="agreement", bins=[{"algorithm": {"kind": "best_of_n"}}])
    assert (voting.wants_reward, voting.stepwise, voting.policies) == (False, False, [])
    beam = options_of(by="agreement", bins=[{"algorithm": {"kind": "beam", "depth": 5, "lookahead": 2}}])
    assert (beam.wants_reward, beam.stepwise, beam.depth) == (True, True, 7)
    assert options_of(bins=[{"algorithm": {"kind": "best_of_n"}}]).wants_reward
    arms = options_of(bins=[{"algorithm": {"kind": "ab_mcts", "policies": ["other"]}}])
    assert arms.policies == ["policy", "other"]


def test_an_algorithm_that_does_not_say_its_draws_leaves_them_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of(bins=[{"algorithm": {"kind": "greedy"}}])
    assert most_draws(options) == 5
    monkeypatch.delattr(find("search", "greedy").module, "most_draws")
    assert most_draws(options) is None


def test_in_a_workflow_every_wrong_key_has_its_place() -> None:
    algorithm = {
        "kind": "by_difficulty",
        "bins": [{"algorithm": {"kind": "best_of_m"}}, {"algorithm": {"kind": "beam", "wide": 2}}],
    }
    node = {"kind": "search", "algorithm": algorithm, "policy": {"kind": "solver", "model": "m"}}
    plan = {"models": {"m": {"kind": "scripted", "answers": ["4"]}}, "nodes": {"a": node}}
    with pytest.raises(ConfigError) as refused:
        read_workflow(plan, {}, Path())
    first, second = str(refused.value).splitlines()
    assert "nodes.a.algorithm.bins.0.algorithm.kind: unknown kind 'best_of_m'; did you mean 'best_of_n'?" in first
    assert "nodes.a.algorithm.bins.1.algorithm.wide: unknown key; did you mean 'width'?" in second
