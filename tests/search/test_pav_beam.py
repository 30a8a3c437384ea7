"""PAV-steered beam search: the vectors of systems.md, section 9."""

from __future__ import annotations

from itertools import pairwise

import pytest

from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.core.selection import select
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.search.growing import Brood
from branchwise.orchestrator.search.pav_beam import (
    Options,
    best_of_k,
    build,
    effective_reward,
    prover_value,
    value_before,
    worth,
)
from tests.laws.enumerable import ROOT, Actions, play, scattered


def state(q: float, prover: float | None = None, lineage: int = 0) -> Candidate:
    factors = () if prover is None else (("prover", prover),)
    return Candidate(ROOT.extend((Step(f"{lineage}\n"),), lineage), None, Judgement(q, factors=factors))


def test_the_effective_reward_prefers_progress() -> None:
    rewards = [effective_reward(q, 0.5, mu, 0.50) for q, mu in [(0.30, 0.55), (0.45, 0.45), (0.40, 0.80)]]
    assert rewards == pytest.approx([0.325, 0.425, 0.55])


def test_the_advantage_is_clipped() -> None:
    assert effective_reward(0.5, 0.5, 9.0, 0.0) == 1.0
    assert effective_reward(0.5, 0.5, 0.0, 9.0) == 0.0


def test_best_of_k_in_closed_form() -> None:
    assert best_of_k(0.2, 4) == pytest.approx(0.5904)
    assert best_of_k(0.3, 4) - best_of_k(0.2, 4) == pytest.approx(0.1695)
    assert best_of_k(0.3, 1) - best_of_k(0.2, 1) == pytest.approx(0.1)


def test_the_prover_is_the_factor_of_this_name_else_best_of_k() -> None:
    assert prover_value(state(0.2), 4) == pytest.approx(0.5904)
    assert prover_value(state(0.2, 0.7), 4) == 0.7
    assert prover_value(Candidate(ROOT, None, failed("nothing")), 4) is None


def test_a_logit_becomes_a_probability_first() -> None:
    logit = Candidate(ROOT, None, Judgement(0.0, "logit"))
    assert prover_value(logit, 2) == 0.75


def test_before_the_first_step_stands_the_mean_of_its_children() -> None:
    level = Brood(0, Candidate(ROOT), children=[state(0.3, 0.55), state(0.45, 0.45), state(0.4, 0.8)])
    assert value_before(level, 4) == pytest.approx(0.6)
    assert value_before(Brood(1, state(0.2), children=[]), 4) == pytest.approx(0.5904)


def test_advantages_telescope() -> None:
    chain = [state(q) for q in (0.3, 0.5, 0.1, 0.8)]
    options = Options(alpha=1.0)
    gained = [
        (worth(now, value_before(Brood(1, old), 4), options) or 0) - (now.value or 0) for old, now in pairwise(chain)
    ]
    assert sum(gained) == pytest.approx(best_of_k(0.8, 4) - best_of_k(0.3, 4))


def test_it_goes_on_from_the_step_of_most_progress_and_answers_by_q_alone() -> None:
    q = {(0,): (0.30, 0.55), (1,): (0.45, 0.45), (2,): (0.40, 0.80)}

    def judge(actions: Actions) -> Judgement:
        value, prover = q.get(actions, (0.1 * actions[-1], 1.0 - 0.1 * actions[-1]))
        return Judgement(value, factors=(("prover", prover),))

    world = scattered(1, depth=2)
    asked, search = play(build(Options(width=1, depth=2), ROOT, 1), world, judge)
    assert [expansion.parent.lineage for expansion in asked] == [(), (2,)]
    chosen = select("naive", search.candidates()).candidate
    assert chosen is not None
    assert world.actions(chosen) == (2, 2)
