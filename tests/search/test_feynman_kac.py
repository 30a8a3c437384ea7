"""Feynman-Kac steering: the vectors of its paper's code, weights that are kept, the target against enumeration."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import pytest

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.search.feynman_kac import FeynmanKac, Options, build, potential
from branchwise.orchestrator.search.resampling import effective_size, normalised
from tests.laws.enumerable import ROOT, Actions, World, play, scattered

WORLD = scattered(3, depth=3, branching=2, prior=(0.7, 0.3), drawing="sampled")
POTENTIALS = ["difference", "max", "sum", "current"]


def step(search: FeynmanKac, values: list[float | None], stop: StopReason | None = None) -> list[Expansion]:
    """One step of all particles with these rewards, in the order of the particles."""
    asked, left = search.ask(64), list(values)
    for expansion in asked:
        children = []
        for k in range(expansion.first, expansion.first + expansion.count):
            value = left.pop(0)
            judgement = failed("nothing") if value is None else judged(value, scale="probability", source="rule")
            children.append(Candidate(expansion.parent.extend((Step("s"),), k, stop), None, judgement))
        search.tell(Outcome(expansion.ticket, tuple(children)))
    return asked


def weights(search: FeynmanKac) -> list[float]:
    return [math.exp(one) for one in search.log_weights()]


def three(**options: object) -> FeynmanKac:
    return build(Options(particles=3, strength=2.0, **options), ROOT, 1)  # type: ignore[arg-type]


def test_the_vectors_of_two_steps_without_resampling() -> None:
    search = three()
    step(search, [0.2, 0.6, 0.4])
    assert weights(search) == pytest.approx([1.4918, 3.3201, 2.2255], abs=5e-5)
    assert normalised(search.log_weights()) == pytest.approx([0.2120, 0.4718, 0.3162], abs=5e-5)
    assert effective_size(search.log_weights()) == pytest.approx(2.721, abs=5e-4)  # above 1.5: not resampled
    step(search, [0.5, 0.4, 0.9])
    assert weights(search) == pytest.approx([2.7183, 2.2255, 6.0496], abs=5e-5)  # kept: exp(2 r_2)
    gains = [potential("difference", 2.0, *pair)[0] for pair in [(0.2, 0.5), (0.6, 0.4), (0.4, 0.9)]]
    assert [math.exp(gain) for gain in gains] == pytest.approx([1.8221, 0.6703, 2.7183], abs=5e-5)


def test_what_the_potentials_carry() -> None:
    for kind, carried in {"max": [0.5, 0.6, 0.9], "sum": [0.7, 1.0, 1.3], "current": [0.5, 0.4, 0.9]}.items():
        search = three(potential=kind, threshold=0.0)
        step(search, [0.2, 0.6, 0.4])
        step(search, [0.5, 0.4, 0.9])
        assert [one.carried for one in search.state.weighed] == pytest.approx(carried)


@pytest.mark.parametrize("kind", POTENTIALS)
def test_along_each_lineage_the_potentials_multiply_to_the_reward(kind: str) -> None:
    search = three(potential=kind, threshold=0.0)
    for values in ([0.2, 0.6, 0.4], [0.5, 0.4, 0.9]):
        step(search, values)
    step(search, [0.3, 0.3, 0.7], StopReason.ANSWERED)
    assert search.finished
    assert weights(search) == pytest.approx([math.exp(2 * r) for r in (0.3, 0.3, 0.7)])


@pytest.mark.parametrize(("kind", "reward"), [("max", [0.5, 0.6, 0.9]), ("sum", [1.0, 1.3, 2.0])])
def test_the_published_correction_takes_what_is_carried(kind: str, reward: list[float]) -> None:
    search = three(potential=kind, threshold=0.0, correction="carried")
    for values in ([0.2, 0.6, 0.4], [0.5, 0.4, 0.9]):
        step(search, values)
    step(search, [0.3, 0.3, 0.7], StopReason.ANSWERED)
    assert weights(search) == pytest.approx([math.exp(2 * r) for r in reward])


def test_resampling_starts_weights_anew_and_copies_what_is_carried() -> None:
    search = build(Options(particles=4, strength=50.0), ROOT, 1)
    step(search, [0.9, 0.0, 0.0, 0.0])
    assert weights(search) == [1.0] * 4
    assert [one.carried for one in search.state.weighed] == [0.9] * 4
    (expansion,) = search.ask(64)
    assert (expansion.parent.lineage, expansion.count, expansion.first) == ((0,), 4, 0)


def test_only_every_second_step_weighs_but_an_answer_always_does() -> None:
    search = three(every=2, threshold=0.0)
    step(search, [0.9, 0.5, None])
    assert weights(search) == [1.0] * 3
    step(search, [0.5, 0.4, 0.9])
    assert weights(search) == pytest.approx([math.exp(2 * r) for r in (0.5, 0.4, 0.9)])
    step(search, [0.1, 0.2, 0.3], StopReason.ANSWERED)
    assert weights(search) == pytest.approx([math.exp(2 * r) for r in (0.1, 0.2, 0.3)])


def test_a_particle_without_a_reward_dies_and_if_all_do_they_go_on_as_equals() -> None:
    search = three(threshold=0.0)
    step(search, [0.5, None, 0.5])
    assert normalised(search.log_weights()) == [0.5, 0.0, 0.5]
    blind = three(threshold=0.0)
    step(blind, [None, None, None])
    step(blind, [0.5, 0.4, 0.9])  # a judge that comes back steers again
    assert weights(blind) == pytest.approx([math.exp(2 * r) for r in (0.5, 0.4, 0.9)])


def test_rewards_of_a_hundred_do_not_overflow() -> None:
    search = build(Options(particles=2, strength=10.0, potential="sum", threshold=0.0), ROOT, 1)
    for _ in range(3):
        step(search, [100.0, 99.0])
    assert normalised(search.log_weights()) == pytest.approx([1.0, 0.0])


def test_no_strength_is_no_steering() -> None:
    """Each particle is a chain of the policy's own."""
    for seed in range(20):
        asked, search = play(build(Options(particles=3, depth=3, strength=0.0), ROOT, seed), WORLD, WORLD.mean)
        assert [c.trajectory.lineage for c in search.candidates()] == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
        assert len(asked) == 1 + 3 + 3


def estimate(options: Options, seed: int) -> tuple[dict[Actions, float], list[Actions]]:
    """The unnormalised estimate of the target at every leaf, and where the particles ended."""
    drawn = World(WORLD.leaf, WORLD.depth, WORLD.branching, WORLD.prior, "sampled", seed)
    _, search = play(build(options, ROOT, seed), drawn, drawn.mean)
    assert isinstance(search, FeynmanKac)
    particles, found = search.state.particles, dict.fromkeys(WORLD.leaves, 0.0)
    for place, log_weight in enumerate(search.log_weights()):
        standing = particles.candidate(place)
        assert standing is not None
        found[drawn.actions(standing)] += math.exp(particles.log_evidence + log_weight) / options.particles
    return found, list(map(drawn.actions, search.candidates()))


@pytest.mark.parametrize(
    "settings",
    [
        *({"potential": kind, "threshold": 1.0} for kind in POTENTIALS),
        {"threshold": 0.5},
        {"potential": "max", "every": 2, "threshold": 1.0},
        {"potential": "sum", "resample_last": True},
    ],
)
def test_the_weighted_particles_stand_for_the_tilted_policy_to_three_sigma(settings: dict[str, object]) -> None:
    options = Options(particles=4, depth=3, strength=3.0, **settings)  # type: ignore[arg-type]
    estimates = [estimate(options, seed)[0] for seed in range(1000)]
    for actions, reward in WORLD.leaves.items():
        target = WORLD.probability(actions) * math.exp(3.0 * reward)
        found = [one[actions] for one in estimates]
        assert abs(fmean(found) - target) <= 3 * stdev(found) / math.sqrt(len(found))


def test_resampled_at_the_end_the_answers_themselves_are_tilted() -> None:
    options = Options(particles=64, depth=3, strength=3.0, resampling="systematic", resample_last=True)
    target = {
        actions: WORLD.probability(actions) * math.exp(3.0 * reward) for actions, reward in WORLD.leaves.items()
    }
    ended = [estimate(options, seed)[1] for seed in range(100)]
    assert {len(population) for population in ended} == {64}
    for actions, share in target.items():
        found = [population.count(actions) / 64 for population in ended]
        assert abs(fmean(found) - share / sum(target.values())) <= 3 * stdev(found) / math.sqrt(len(found))
