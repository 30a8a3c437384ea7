"""The rules that stop a vote early: the vectors of systems.md, section 24, and their relations."""

from __future__ import annotations

import random

import pytest

from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.search.best_of_n import Options, build
from branchwise.orchestrator.search.stopping import (
    SAMPLES,
    Rule,
    Stopping,
    agreement,
    beta_confidence,
    dirichlet_confidence,
)
from tests.laws.toy import ROOT


@pytest.mark.parametrize(
    ("first", "second", "confidence"),
    [(3, 0, 0.9375), (4, 0, 0.96875), (5, 1, 0.9375), (6, 1, 0.96484), (8, 3, 0.92700), (2, 2, 0.5)],
)
def test_the_vectors_of_the_beta_rule(first: int, second: int, confidence: float) -> None:
    assert beta_confidence(first, second) == pytest.approx(confidence, abs=5e-6)
    votes = ["a"] * first + ["b"] * second
    assert Stopping("beta", 99).stops(votes) is (confidence >= 0.95)


def test_the_beta_rule_is_the_tail_of_its_posterior() -> None:
    rng = random.Random(1)
    draws = [rng.betavariate(8 + 1, 3 + 1) > 0.5 for _ in range(20_000)]
    assert sum(draws) / 20_000 == pytest.approx(beta_confidence(8, 3), abs=3 * (0.25 / 20_000) ** 0.5)


def test_the_dirichlet_rule_is_the_beta_rule_for_two_answers_and_stricter_for_more() -> None:
    assert dirichlet_confidence([6, 1], chance(1)) == beta_confidence(6, 1)
    assert dirichlet_confidence([4], chance(1)) == beta_confidence(4, 0)
    assert dirichlet_confidence([4, 2, 2, 2], chance(1)) < beta_confidence(4, 2)


def test_the_dirichlet_rule_knows_an_even_race_and_a_known_integral() -> None:
    three_sigma = 3 * (0.25 / SAMPLES) ** 0.5
    assert dirichlet_confidence([2, 2, 2], chance(1)) == pytest.approx(1 / 3, abs=three_sigma)
    # X of Gamma(2) above two of Gamma(1): E[(1 - e^-X)^2] = 1 - 2 * 1/4 + 1/9.
    assert dirichlet_confidence([1, 0, 0], chance(1)) == pytest.approx(11 / 18, abs=three_sigma)


def test_the_dirichlet_rule_decides_alike_whenever_asked() -> None:
    votes = ["a"] * 9 + ["b"] * 2 + ["c"]
    assert len({Stopping("dirichlet", 99, seed=3).stops(votes) for _ in range(5)}) == 1
    assert Stopping("dirichlet", 99).stops(["a"] * 20 + ["b", "c"])


def test_unparsed_answers_have_no_vote_and_are_in_no_denominator() -> None:
    assert agreement(["a", None, "a", None, "a", "b"]) == 0.75
    assert agreement([None, None]) == agreement(["a", None]) == 0.0
    assert Stopping("doubling", 99).stops(["a", None, "a", "a"])
    assert Stopping("esc", 99).stops([None, "a", "a", None, "a"])
    assert not Stopping("esc", 99).stops([None] * 4 + ["a"])


def test_esc_looks_at_whole_windows_only() -> None:
    esc = Stopping("esc", 20)
    assert [esc.horizon(told) for told in (0, 4, 5, 19)] == [5, 5, 10, 20]
    assert not esc.stops(["a"] * 4)
    assert not esc.stops(["b"] + ["a"] * 5)
    assert esc.stops(["b"] + ["a"] * 4 + ["c"] * 5)
    assert Stopping("esc", 12).horizon(10) == 12


def test_doubling_looks_after_2_4_8_draws() -> None:
    doubling = Stopping("doubling", 20)
    assert [doubling.horizon(told) for told in (0, 1, 2, 3, 4, 8, 16)] == [2, 2, 4, 4, 8, 16, 20]
    assert doubling.stops(["a", "a"])
    assert not doubling.stops(["a", "b"])
    assert not doubling.stops(["a", "b", "a"])
    assert doubling.stops(["a", "b", "a", "a"])
    assert not doubling.stops(["a", "b", "a", "a", "a"])


def test_decided_never_changes_the_majority() -> None:
    rng = random.Random(4)
    for _ in range(300):
        votes = [rng.choice("aab") for _ in range(9)]
        told = next(k for k in range(1, 10) if k == 9 or Stopping("decided", 9).stops(votes[:k]))
        early, late = (max("ab", key=part.count) for part in (votes[:told], votes))
        assert early == late


def drawn(stop: Rule, spelling: str, n: int = 20, batch: int = 1) -> int:
    """How many draws were asked for when answer k is ``spelling[k]`` (-: none) and room is never short."""
    search = build(Options(n=n, stop=stop, batch=batch), ROOT, 1)
    out: list[Expansion] = []
    most = 0
    while not search.finished:
        out += search.ask(64)
        most = max([most, *(expansion.first + expansion.count for expansion in out)])
        search.tell(answered(out.pop(0), spelling))
    return most


def answered(expansion: Expansion, spelling: str) -> Outcome:
    siblings = range(expansion.first, expansion.first + expansion.count)
    ends = [ROOT.extend((Step(spelling[k]),), k, StopReason.ANSWERED) for k in siblings]
    said = [None if end.text == "-" else Answer(end.text, end.text) for end in ends]
    return Outcome(expansion.ticket, tuple(map(Candidate, ends, said)))


@pytest.mark.parametrize("batch", [1, 3])
def test_windows_never_overshoot(batch: int) -> None:
    assert drawn("esc", "aaaaa" + "b" * 15, batch=batch) == 5
    assert drawn("esc", "aaaab" + "-b-bb" + "c" * 10, batch=batch) == 10
    assert drawn("doubling", "ab" + "aa" + "b" * 16, batch=batch) == 4
    assert drawn("doubling", "abab" + "aaaa" + "b" * 12, batch=batch) == 8


def test_rules_without_windows_ask_for_everything_at_once_and_leave_the_rest() -> None:
    for rule in ("decided", "beta", "dirichlet"):
        search = build(Options(n=20, stop=rule), ROOT, 1)
        asked = search.ask(64)
        assert len(asked) == 20
        for expansion in asked[:11]:
            if not search.finished:
                search.tell(answered(expansion, "a" * 20))
        assert search.finished
        assert search.ask(64) == []
        assert len(search.candidates()) == {"decided": 11, "beta": 4, "dirichlet": 4}[rule]
