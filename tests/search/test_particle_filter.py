"""Particle filtering: the vectors of its paper's code, its limits, its weights against enumeration, its sweeps."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean, stdev

import pytest
from pydantic import ValidationError

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.search.particle_filter import Options, ParticleFilter, annealed, build, most_draws
from branchwise.orchestrator.search.particles import log_odds
from branchwise.orchestrator.search.resampling import effective_size, normalised
from tests.laws.enumerable import ROOT, Actions, World, play, scattered, uniform

SAMPLED = scattered(3, depth=3, branching=2, prior=(0.7, 0.3), drawing="sampled")
ODDS = (9.0, 1.0, 1 / 9)


def told(values: list[float | None], **options: object) -> ParticleFilter:
    """A filter whose particles have taken their first step with these scores."""
    search = build(Options(particles=len(values), **options), ROOT, 1)  # type: ignore[arg-type]
    (expansion,) = search.ask(64)
    search.state.particles.tell(outcome(expansion, values))
    search.state.step = 1
    return search


def outcome(expansion: Expansion, values: list[float | None], stop: StopReason | None = None) -> Outcome:
    children = []
    for k, value in enumerate(values, expansion.first):
        judgement = failed("nothing") if value is None else judged(value, scale="probability", source="rule")
        children.append(Candidate(expansion.parent.extend((Step(f"{k}\n"),), k, stop), None, judgement))
    return Outcome(expansion.ticket, tuple(children))


def test_weights_are_odds_not_probabilities() -> None:
    weights = normalised(told([0.9, 0.5, 0.1]).log_weights())
    assert weights == pytest.approx([odds / sum(ODDS) for odds in ODDS])
    assert weights == pytest.approx([0.8901, 0.0989, 0.0110], abs=5e-5)
    assert effective_size(told([0.9, 0.5, 0.1]).log_weights()) == pytest.approx(1.247, abs=5e-4)


def test_a_temperature_of_two_takes_the_root_of_the_odds() -> None:
    weights = normalised(told([0.9, 0.5, 0.1], temperature=2.0).log_weights())
    assert weights == pytest.approx([9 / 13, 3 / 13, 1 / 13])


def test_annealing_is_linear_and_then_constant() -> None:
    assert [annealed(2.0, 0.5, 4, step) for step in range(6)] == [2.0, 1.5, 1.0, 0.5, 0.5, 0.5]
    options = Options(temperature=0.5, first_temperature=2.0, annealing=4)
    assert [options.temperature_at(step) for step in range(5)] == [2.0, 1.5, 1.0, 0.5, 0.5]
    assert Options(temperature=0.5).temperature_at(0) == 0.5


def test_identical_scores_are_uniform() -> None:
    assert normalised(told([0.3] * 5).log_weights()) == [0.2] * 5


def test_certainty_is_not_infinite() -> None:
    assert math.isfinite(log_odds(1.0, "probability"))
    assert log_odds(0.0, "probability") == pytest.approx(-log_odds(1.0, "probability"))
    assert normalised(told([1.0, 1.0, 0.5]).log_weights()) == pytest.approx([0.5, 0.5, 0.0], abs=1e-12)


def test_a_logit_is_its_own_log_odds() -> None:
    assert log_odds(-3.5, "logit") == -3.5


def test_a_particle_without_a_score_has_no_weight_unless_nobody_has_one() -> None:
    assert normalised(told([0.5, None, 0.5]).log_weights()) == [0.5, 0.0, 0.5]
    assert normalised(told([None, None]).log_weights()) == [0.5, 0.5]


def test_copies_share_the_way_and_their_children_are_numbered_on() -> None:
    search = told([1.0, 0.0, 0.0, 0.0])
    search.state.step = 0
    search._weigh()  # all four go on from the first
    (expansion,) = search.ask(64)
    assert (expansion.parent.lineage, expansion.count, expansion.first) == ((0,), 4, 0)


def test_finished_particles_take_part_and_wait_for_nobody() -> None:
    search = build(Options(particles=2, depth=3), ROOT, 1)
    (first,) = search.ask(64)
    finished, going = outcome(first, [0.999999999, 0.0], StopReason.ANSWERED).candidates
    search.tell(Outcome(0, (finished, Candidate(ROOT.extend((Step("on"),), 1), None, going.judgement))))
    assert search.finished  # the answer was resampled onto both
    assert search.candidates() == [finished, finished]
    assert search.ask(64) == []


def test_if_all_die_the_search_ends_with_what_was_finished_before() -> None:
    search = build(Options(particles=2, depth=3), ROOT, 1)
    (first,) = search.ask(64)
    search.tell(outcome(first, [0.5, 0.5]))
    for expansion in search.ask(64):
        lost = [Candidate(expansion.parent.extend((), k, StopReason.FAILED)) for k in range(expansion.count)]
        search.tell(Outcome(expansion.ticket, tuple(lost)))
    assert search.finished
    assert all(candidate.trajectory.stop is StopReason.FAILED for candidate in search.candidates())


def test_one_particle_is_one_chain_of_the_policy() -> None:
    asked, search = play(build(Options(particles=1, depth=3), ROOT, 1), SAMPLED, SAMPLED.mean)
    assert [expansion.parent.lineage for expansion in asked] == [(), (0,), (0, 0)]
    assert len(search.candidates()) == 1


def leaves(world: World, options: Options, rounds: int, judge: object) -> Counter[Actions]:
    found: Counter[Actions] = Counter()
    for seed in range(rounds):
        drawn = World(world.leaf, world.depth, world.branching, world.prior, "sampled", seed)
        _, search = play(build(options, ROOT, seed), drawn, judge)  # type: ignore[arg-type]
        found.update(map(drawn.actions, search.candidates()))
    return found


@pytest.mark.parametrize("scheme", ["systematic", "stratified", "multinomial", "residual"])
def test_constant_scores_are_independent_samples_but_for_the_noise_of_resampling(scheme: str) -> None:
    rounds, options = 1000, Options(particles=4, depth=3, resampling=scheme)  # type: ignore[arg-type]
    found = leaves(SAMPLED, options, rounds, uniform)
    assert sum(found.values()) == rounds * 4
    for actions in SAMPLED.leaves:
        share = SAMPLED.probability(actions)
        sigma = math.sqrt(share * (1 - share) / rounds)  # of a population's share, at most: that of one particle
        assert abs(found[actions] / (4 * rounds) - share) <= 3 * sigma


def evidence(options: Options, seed: int) -> dict[Actions, float]:
    """A filter's unnormalised estimate of the target at every leaf."""
    drawn = World(SAMPLED.leaf, SAMPLED.depth, SAMPLED.branching, SAMPLED.prior, "sampled", seed)
    _, search = play(build(options, ROOT, seed), drawn, drawn.mean)
    assert isinstance(search, ParticleFilter)
    particles, estimate = search.state.particles, dict.fromkeys(SAMPLED.leaves, 0.0)
    for place, log_weight in enumerate(search.log_weights()):
        standing = particles.candidate(place)
        assert standing is not None
        weight = math.exp(particles.log_evidence + log_weight) / options.particles
        estimate[drawn.actions(standing)] += weight
    return estimate


@pytest.mark.parametrize(
    ("scheme", "temperature"),
    [("systematic", 1.0), ("stratified", 1.0), ("multinomial", 1.0), ("residual", 1.0), ("multinomial", 2.0)],
)
def test_the_weights_are_unbiased_to_three_sigma(scheme: str, temperature: float) -> None:
    options = Options(particles=4, depth=3, resampling=scheme, temperature=temperature)  # type: ignore[arg-type]
    estimates = [evidence(options, seed) for seed in range(1000)]
    for actions in SAMPLED.leaves:
        prefixes = [SAMPLED.mean(actions[: step + 1]) for step in range(3)]
        target = SAMPLED.probability(actions) * math.prod((p / (1 - p)) ** (1 / temperature) for p in prefixes)
        found = [estimate[actions] for estimate in estimates]
        assert abs(fmean(found) - target) <= 3 * stdev(found) / math.sqrt(len(found))


def test_a_sweep_starts_anew_beside_the_reference_and_numbers_on() -> None:
    options = Options(particles=4, depth=3, sweeps=3)
    asked, search = play(build(options, ROOT, 5), SAMPLED, SAMPLED.mean)
    assert [(e.count, e.first) for e in asked if e.parent.lineage == ()] == [(4, 0), (3, 4), (3, 7)]
    assert sum(expansion.count for expansion in asked) == most_draws(options) == 3 * (4 + 3 + 3)
    assert len(search.candidates()) == 12
    assert isinstance(search, ParticleFilter)
    reference = search.state.particles.nodes[search.state.reference[-1]].candidate
    assert search.candidates()[-1] == reference
    assert reference in search.candidates()[4:8]  # it was drawn from the second sweep's


def test_sweeps_come_near_the_target_that_one_sweep_misses() -> None:
    """A strong score and two particles: the distribution of particle Gibbs is that of all odds multiplied."""
    world = scattered(5, depth=2, branching=2, drawing="sampled")

    def sharp(actions: Actions) -> float:
        return 0.1 + 0.8 * world.mean(actions)

    def odds(actions: Actions) -> float:
        return math.prod(
            sharp(actions[: step + 1]) / (1 - sharp(actions[: step + 1])) for step in range(len(actions))
        )

    target = {actions: world.probability(actions) * odds(actions) for actions in world.leaves}
    total, found = sum(target.values()), Counter[Actions]()
    for seed in range(60):
        drawn = World(world.leaf, 2, 2, (), "sampled", seed)
        _, search = play(build(Options(particles=2, depth=2, sweeps=40), ROOT, seed), drawn, sharp)
        assert isinstance(search, ParticleFilter)
        found.update(drawn.actions(each) for each in search.candidates()[1::2][10:])  # the references, burnt in
    for actions in target:
        assert found[actions] / found.total() == pytest.approx(target[actions] / total, abs=0.03)


@pytest.mark.parametrize("wrong", [{"particles": 1}, {"resampling": "systematic"}])
def test_sweeps_want_two_particles_and_multinomial_resampling(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="two particles"):
        Options(sweeps=2, **wrong)  # type: ignore[arg-type]
