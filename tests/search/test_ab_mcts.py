"""AB-MCTS-A: the vectors of its library, what each score counts for, how it chooses, and several policies."""

from __future__ import annotations

import random
from collections import Counter
from statistics import fmean, variance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Scale, judged
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.search.ab_mcts import AdaptiveBranching, Options, build
from branchwise.orchestrator.search.branching import Choice, Growth, Pending, pending, upper_bound
from branchwise.orchestrator.search.posteriors import Beta, Normal, Observed, posterior, with_pending
from tests.laws.enumerable import ROOT, play, scattered


def observed(*rewards: float) -> Observed:
    return sum((Observed(1, reward) for reward in rewards), Observed())


def searching(**options: Any) -> AdaptiveBranching:
    """One over steps, unless it is said otherwise."""
    return build(Options(**{"over": "steps", "in_flight": 1, "depth": 4} | options), ROOT, 1)


def grow(
    search: AdaptiveBranching, node: int, value: float | None, arm: int = 0, stop: StopReason | None = None
) -> None:
    """Tell of a child with this score below a node, whatever the search would have asked for."""
    parent = search.state.nodes[node]
    ticket, k = search.state.tickets, parent.drawn
    search.state.out[ticket] = Growth(node, arm)
    search.state.tickets += 1
    parent.drawn += 1
    child = parent.trajectory.extend((Step(f"{k}\n"),), k, stop)
    failure = Failure("backend", "lost") if value is None else None
    judgement = None if value is None else judged(value, scale="probability", source="rule")
    search.tell(Outcome(ticket, (Candidate(child, None, judgement, failure),)))


class TestPosteriors:
    def test_the_vector_of_the_normal(self) -> None:
        after = posterior("normal", observed(0.6, 0.8))
        assert isinstance(after, Normal)
        assert (after.kappa, after.nu) == (3, 3)
        assert after.m == pytest.approx(0.466667, abs=1e-6)
        assert after.tau2 == pytest.approx(0.148889, abs=1e-6)

    def test_the_vector_of_the_beta(self) -> None:
        after = posterior("beta", observed(0.6, 0.8))
        assert isinstance(after, Beta)
        assert (after.a, after.b) == pytest.approx((1.9, 1.1))

    def test_a_beta_takes_rewards_in_the_unit_interval_only(self) -> None:
        with pytest.raises(ValueError, match="in \\[0, 1\\]"):
            posterior("beta", observed(1.5))

    @given(st.lists(st.floats(-10, 10), min_size=1, max_size=9), st.lists(st.floats(-10, 10), max_size=9))
    def test_observations_add_up_in_any_grouping(self, one: list[float], other: list[float]) -> None:
        both, rewards = observed(*one) + observed(*other), one + other
        assert both.count == len(rewards)
        assert both.mean == pytest.approx(fmean(rewards), abs=1e-9)
        squares = variance(rewards) * (len(rewards) - 1) if len(rewards) > 1 else 0.0
        assert both.squares == pytest.approx(squares, abs=1e-7)

    @pytest.mark.parametrize("family", ["normal", "beta"])
    def test_a_score_to_come_moves_no_mean_and_narrows_the_posterior(self, family: Any) -> None:
        seen = observed(0.6, 0.8)
        before, after = posterior(family, seen), posterior(family, with_pending(family, seen, 3))
        assert after.mean == pytest.approx(before.mean)
        rng = random.Random(1)
        spread = [variance([one.draw(rng) for _ in range(4000)]) for one in (before, after)]
        assert spread[1] < 0.7 * spread[0]

    def test_draws_have_the_posteriors_moments(self) -> None:
        rng, after = random.Random(2), Normal(0.4, 5.0, 9.0, 0.2)
        draws = [after.draw(rng) for _ in range(40_000)]
        assert fmean(draws) == pytest.approx(0.4, abs=0.005)
        assert variance(draws) == pytest.approx(0.2 / 5 * 9 / 7, rel=0.05)  # Student's t with nu degrees of freedom


class TestBackUp:
    def test_the_vector_of_a_child_and_a_grandchild(self) -> None:
        search = searching()
        grow(search, 0, 0.9)
        grow(search, 1, 0.2)
        root, child, grandchild = search.state.nodes
        assert root.generated == [observed(0.9)]
        assert root.continued == [observed(0.2)]
        assert child.seen == observed(0.9, 0.2)
        assert child.generated == [observed(0.2)]
        assert child.continued == [observed()]
        assert grandchild.seen == observed(0.2)

    def test_three_levels_down(self) -> None:
        search = searching()
        for node, value in [(0, 0.9), (1, 0.2), (2, 0.6)]:
            grow(search, node, value)
        root, child, grandchild, _ = search.state.nodes
        assert root.generated == [observed(0.9)]
        assert root.continued == [observed(0.2, 0.6)]
        assert (child.generated, child.continued) == ([observed(0.2)], [observed(0.6)])
        assert grandchild.seen == observed(0.2, 0.6)

    def test_every_policy_gets_its_share(self) -> None:
        search = searching(policies=["policy", "big"])
        grow(search, 0, 0.9, arm=1)
        grow(search, 1, 0.2, arm=0)
        root, child, _ = search.state.nodes
        assert root.generated == [observed(), observed(0.9)]
        assert root.continued == [observed(), observed(0.2)]  # below what the second made
        assert child.generated == [observed(0.2), observed()]
        assert search.state.scores == [observed(0.2), observed(0.9)]

    def test_what_is_lost_or_not_judged_is_not_in_the_tree(self) -> None:
        search = searching()
        grow(search, 0, None)
        assert len(search.state.nodes) == 1
        assert search.state.told == 1

    @pytest.mark.parametrize(("value", "scale", "score"), [(0.0, "logit", 0.5), (0.8, "probability", 0.8)])
    def test_a_beta_takes_a_logit_by_its_probability(self, value: float, scale: Scale, score: float) -> None:
        search = searching(posterior="beta")
        (asked,) = search.ask(1)
        child = Candidate(ROOT.extend((Step("s"),), 0), None, judged(value, scale=scale, source="rule"))
        search.tell(Outcome(asked.ticket, (child,)))
        assert search.state.scores == [observed(score)]

    def test_a_probability_of_more_than_one_costs_a_beta_the_candidate_only(self) -> None:
        search = searching(posterior="beta")
        grow(search, 0, 1.5)
        assert len(search.state.nodes) == 1


def chosen(search: AdaptiveBranching, rounds: int = 2000) -> Counter[tuple[int, int]]:
    """How often each (node, policy) is chosen to grow a child from, over that many draws."""
    family, strategy = search._options.posterior, search._options.strategy
    growths = (Choice(search.state, family, strategy, random.Random(k)).growth() for k in range(rounds))
    return Counter((growth.node, growth.arm) for growth in growths)


class TestChoice:
    def test_a_leaf_always_expands_and_the_root_first(self) -> None:
        assert set(chosen(searching())) == {(0, 0)}

    def test_deeper_where_what_is_found_deeper_is_better(self) -> None:
        search = searching()
        grow(search, 0, 0.5)
        for _ in range(8):
            grow(search, 1, 0.95)
        for _ in range(4):
            grow(search, 0, 0.1)
        counts = chosen(search)
        assert sum(counts.values()) - counts[0, 0] > 0.9 * sum(counts.values())  # CONT
        assert sum(count for (node, _), count in counts.items() if 1 <= node <= 9) > 0.8 * sum(counts.values())

    def test_wider_where_children_are_better_than_what_is_below_them(self) -> None:
        search = searching()
        for _ in range(6):
            grow(search, 0, 0.9)
        for _ in range(6):
            grow(search, 1, 0.1)
        assert chosen(search)[0, 0] > 0.9 * 2000

    def test_a_finished_answer_is_never_grown_from(self) -> None:
        search = searching()
        for _ in range(3):
            grow(search, 0, 1.0, stop=StopReason.ANSWERED)
        grow(search, 0, 0.1)
        assert set(chosen(search)) <= {(0, 0), (4, 0)}
        alone = searching()
        grow(alone, 0, 1.0, stop=StopReason.ANSWERED)
        assert set(chosen(alone)) == {(0, 0)}

    @pytest.mark.parametrize("family", ["normal", "beta"])
    def test_the_better_policy_is_drawn_from_more(self, family: Any) -> None:
        search = searching(policies=["policy", "big"], posterior=family)
        for value in (0.1, 0.2, 0.1, 0.2):
            grow(search, 0, value, arm=0, stop=StopReason.ANSWERED)
            grow(search, 0, value + 0.7, arm=1, stop=StopReason.ANSWERED)
        counts = chosen(search)
        assert counts[0, 1] > 0.85 * 2000
        assert counts[0, 0] > 0  # by chance now and then

    def test_upper_bounds_take_the_unused_first_and_then_the_greatest(self) -> None:
        assert upper_bound(observed(0.5, 0.7), 4) == pytest.approx(0.6 + 2**0.5 * (1.3862944 / 2) ** 0.5)
        search = searching(policies=["policy", "big", "small"], strategy="multiarm_bandit_ucb")
        grow(search, 0, 0.9, arm=0, stop=StopReason.ANSWERED)
        assert set(chosen(search)) == {(0, 1)}
        grow(search, 0, 0.1, arm=1, stop=StopReason.ANSWERED)
        assert set(chosen(search)) == {(0, 2)}
        grow(search, 0, 0.5, arm=2, stop=StopReason.ANSWERED)
        assert set(chosen(search)) == {(0, 0)}

    @pytest.mark.parametrize("strategy", ["multiarm_bandit_ucb", "multiarm_bandit_thompson", "stack"])
    def test_a_policy_that_never_gets_a_score_is_passed_by_after_two_tries(self, strategy: Any) -> None:
        search = searching(policies=["policy", "big"], strategy=strategy, posterior="beta")
        grow(search, 0, 0.1, arm=0, stop=StopReason.ANSWERED)
        grow(search, 0, None, arm=1)
        assert chosen(search)[0, 1] > 0
        grow(search, 0, None, arm=1)
        assert set(chosen(search)) == {(0, 0)}
        grow(search, 0, None, arm=0)
        assert set(chosen(search)) == {(0, 0)}

    def test_where_no_policy_ever_got_a_score_it_goes_on_all_the_same(self) -> None:
        search = searching(policies=["policy", "big"])
        for arm in (0, 0, 1, 1):
            grow(search, 0, None, arm=arm)
        assert set(chosen(search)) == {(0, 0), (0, 1)}

    def test_lost_children_are_tries_of_their_policy(self) -> None:
        assert upper_bound(observed(0.5), 4, lost=3) == pytest.approx(0.5 + 2**0.5 * (1.3862944 / 4) ** 0.5)

    def test_a_node_below_which_nothing_can_be_judged_is_passed_by(self) -> None:
        search = searching()
        grow(search, 0, 0.9)
        grow(search, 1, None)
        assert chosen(search)[1, 0] > 0
        grow(search, 1, None)
        assert set(chosen(search)) == {(0, 0)}
        grow(search, 0, 0.2)
        assert set(chosen(search)) == {(0, 0), (2, 0)}
        grow(search, 1, 0.9)  # one that was under way
        assert {node for node, _ in chosen(search)} == {0, 1, 2, 3}

    def test_stacked_a_policy_goes_down_its_own_children_only(self) -> None:
        search = searching(policies=["policy", "big"], strategy="stack")
        grow(search, 0, 0.9, arm=1)
        for _ in range(8):
            grow(search, 1, 0.9, arm=1)
        grow(search, 0, 0.85, arm=0, stop=StopReason.ANSWERED)
        counts = chosen(search)
        assert counts[0, 0] > 0  # the first policy has no child that leads on: it can only go wider
        below = sum(count for (node, _), count in counts.items() if node)
        assert below > counts[0, 1]
        shared = searching(policies=["policy", "big"], strategy="multiarm_bandit_thompson")
        for node, arm in [(0, 0), *[(1, 1)] * 8]:
            grow(shared, node, 0.9, arm)
        assert any(arm == 0 and node for node, arm in chosen(shared))  # below a child of either

    def test_tickets_that_are_out_count_where_their_scores_will(self) -> None:
        search = searching(policies=["policy", "big"], in_flight=8)
        grow(search, 0, 0.9, arm=1)
        grow(search, 1, 0.5, arm=0)
        search.state.out = {7: Growth(2, 1)}
        assert pending(search.state) == {
            ("score", 0, 1): 1,
            ("generated", 2, 1): 1,
            ("seen", 2, 0): 1,
            ("continued", 1, 0): 1,
            ("seen", 1, 0): 1,
            ("continued", 0, 1): 1,
        }

    def test_what_is_pending_makes_a_choice_surer_of_itself(self) -> None:
        search = searching(policies=["policy", "big"])
        grow(search, 0, 0.2, arm=0, stop=StopReason.ANSWERED)
        grow(search, 0, 0.9, arm=1, stop=StopReason.ANSWERED)
        alone, waiting = (
            Counter(
                Choice(search.state, "normal", "multiarm_bandit_thompson", random.Random(k), Pending(counts))
                .growth()
                .arm
                for k in range(2000)
            )
            for counts in ({}, {("score", 0, 0): 9, ("score", 0, 1): 9})
        )
        assert waiting[1] > alone[1]


class TestSearch:
    def test_policies_are_asked_for_by_name_and_the_nodes_own_by_none(self) -> None:
        search = searching(policies=["policy", "big"], strategy="multiarm_bandit_ucb", expansions=2)
        world = scattered(1)
        asked, _ = play(search, world, world.mean)
        assert [expansion.policy for expansion in asked] == [None, "big"]

    def test_no_more_are_out_than_wanted(self) -> None:
        search = searching(in_flight=3, expansions=5)
        first = search.ask(64)
        assert len(first) == 3
        assert search.ask(64) == []
        search.tell(scattered(1).grow(first[0], lambda actions: 0.5))
        assert len(search.ask(64)) == 1

    def test_the_last_step_is_drawn_to_the_end(self) -> None:
        world = scattered(2, depth=3)
        asked, search = play(searching(depth=2, expansions=40), world, world.mean)
        assert {(len(e.parent.lineage), e.to_end) for e in asked} == {(0, False), (1, True)}
        assert search.candidates()
        assert all(len(candidate.trajectory.steps) == 3 for candidate in search.candidates())

    def test_over_steps_the_last_draw_goes_to_the_end_if_nothing_has_come_to_one(self) -> None:
        world = scattered(2, depth=5)
        asked, search = play(searching(depth=9, expansions=3), world, world.mean)
        assert [expansion.to_end for expansion in asked] == [False, False, True]
        assert len(search.candidates()) == 1

    def test_over_answers_every_draw_is_one_and_revises_the_one_above(self) -> None:
        world = scattered(2, depth=3, drawing="sampled")
        asked, search = play(searching(over="answers", depth=3, expansions=60), world, world.mean)
        assert all(expansion.to_end for expansion in asked)
        assert len(search.candidates()) == 60
        depths = Counter(len(expansion.parent.lineage) for expansion in asked)
        assert set(depths) == {0, 1, 2}
        assert all(expansion.parent.terminal for expansion in asked if expansion.parent.lineage)
        assert {len(candidate.trajectory.steps) for candidate in search.candidates()} == {3}

    def test_over_steps_more_expansions_come_nearer_to_the_optimum(self) -> None:
        gaps: dict[int, list[float]] = {6: [], 100: []}
        for seed in range(40):
            world = scattered(seed, depth=2, branching=3, drawing="sampled", prior=(0.5, 0.3, 0.2))
            for expansions, found in gaps.items():
                options = Options(over="steps", expansions=expansions, depth=2)
                _, search = play(build(options, ROOT, seed), world, world.mean)
                best = max((c.value or 0.0 for c in search.candidates()), default=0.0)
                found.append(world.optimum() - best)
        assert fmean(gaps[100]) < 0.3 * fmean(gaps[6])

    def test_it_stays_where_revising_helps(self) -> None:
        """Where every revision is better than its draft, most draws are deep; where it is worse, most are wide."""
        depths: dict[bool, list[int]] = {True: [], False: []}
        for helps, found in depths.items():
            for seed in range(20):
                search = build(Options(expansions=40, in_flight=1), ROOT, seed)
                while not search.finished:
                    (asked,) = search.ask(1)
                    deep = len(asked.parent.lineage)
                    value = 0.4 + 0.06 * deep if helps else 0.8 - 0.1 * deep
                    child = asked.parent.stem.extend((Step("s"),), asked.first, StopReason.ANSWERED)
                    judgement = judged(value, scale="probability", source="rule")
                    search.tell(Outcome(asked.ticket, (Candidate(child, None, judgement),)))
                    found.append(deep)
        assert fmean(depths[True]) > 3 * fmean(depths[False])

    def test_a_policy_is_named_once(self) -> None:
        with pytest.raises(ValidationError, match="twice"):
            Options(policies=["big", "big"])


def test_an_expansion_is_one_child_with_the_next_number() -> None:
    search = searching(expansions=30)
    world = scattered(4)
    asked, _ = play(search, world, world.mean)
    numbers: dict[tuple[int, ...], list[Expansion]] = {}
    for expansion in asked:
        assert expansion.count == 1
        numbers.setdefault(expansion.parent.lineage, []).append(expansion)
    assert all([e.first for e in found] == list(range(len(found))) for found in numbers.values())
