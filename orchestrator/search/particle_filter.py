"""Particle filtering: partial solutions grow a step at a time and are resampled in proportion to their odds.

1. Every particle takes one step; the reward model scores each prefix.
2. Weights are the odds of the scores, p / (1 - p), to the power of 1 over the temperature: softmax of the logits.
3. Resample as many particles from all, finished ones included. No weight is carried over.
4. Repeat until no particle can go on; at ``depth`` the answers are drawn to their end.
5. With ``sweeps``, again: a reference is drawn from the particles by the same weights, and while the others start
   anew, its prefix of the same length competes with them at each step (particle Gibbs).

The answer is that of the greatest last score. A particle whose step is lost, or not judged, has weight zero. The
population at the end is not resampled once more, so ``select: majority`` and ``weighted`` count its copies.

Puri et al., arXiv 2502.01618 ("rollout roulette"), which resamples multinomially; systematic resampling has less
variance. Annealing goes linearly from ``first_temperature`` to ``temperature`` in ``annealing`` steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.ancestry import statistics
from branchwise.orchestrator.search.particles import ROOT, Particles, log_odds, or_uniform, score
from branchwise.orchestrator.search.resampling import ZERO, Scheme, resample


class Options(_Options):
    """Options of particle filtering."""

    kind: Literal["particle_filter"] = "particle_filter"
    particles: int = Field(4, gt=0, description="Partial solutions under way together.")
    depth: int = Field(40, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    temperature: float = Field(1.0, ge=1e-6, description="Of the weights: 1 for the odds, more for flatter ones.")
    first_temperature: float | None = Field(
        None, ge=1e-6, description="Where annealing starts; default: no annealing."
    )
    annealing: int = Field(4, gt=1, description="Steps from the first temperature to the last.")
    resampling: Scheme = Field("multinomial", description="How ancestors are drawn.")
    sweeps: int = Field(1, gt=0, description="Times the particles are drawn; more than one is particle Gibbs.")
    wants_reward: ClassVar[bool] = True
    own_select: ClassVar[Rule] = "naive"
    stepwise: ClassVar[bool] = True

    @model_validator(mode="after")
    def _gibbs(self) -> Options:
        if self.sweeps > 1 and (self.particles == 1 or self.resampling != "multinomial"):
            raise ValueError("with more than one sweep there are two particles at least, resampled multinomially")
        return self

    def temperature_at(self, step: int) -> float:
        """The temperature of the weights after step number ``step``, from 0."""
        first = self.temperature if self.first_temperature is None else self.first_temperature
        return annealed(first, self.temperature, self.annealing, step)


@dataclass(slots=True)
class State:
    """Everything that changes. ``reference`` is the way of the reference, ``earlier`` what sweeps ended with."""

    particles: Particles
    step: int = 0
    sweep: int = 0
    reference: list[int] = field(default_factory=list)
    earlier: list[Candidate] = field(default_factory=list)
    finished: bool = False


class ParticleFilter:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory, seed: int) -> None:
        self._options, self._root, self._seed = options, root, seed
        self.state = State(Particles([ROOT] * options.particles))
        self._move()

    @property
    def finished(self) -> bool:
        """True when no particle can go on, in the last sweep."""
        return self.state.finished

    def ask(self, room: int) -> list[Expansion]:
        """The steps of particles that have not been asked for yet."""
        return self.state.particles.ask(self._root, room)

    def tell(self, outcome: Outcome) -> None:
        """Move particles; when all have moved, resample and go on."""
        self.state.particles.tell(outcome)
        if not self.state.particles.moving:
            self._weigh()

    def candidates(self) -> list[Candidate]:
        """The finished answers that particles are, or were at the end of a sweep; else, any that there were."""
        return self.state.earlier + self.state.particles.standing() or self.state.particles.ever()

    def statistics(self) -> Statistics:
        """Particles that came through every node, and the log of the weight that it had when they were resampled."""
        state, above = self.state, len(self._root.lineage) + 1
        weights = {
            candidate.trajectory.lineage: _log_odds(candidate)
            / self._options.temperature_at(len(candidate.trajectory.lineage) - above)
            for node in state.particles.nodes
            if (candidate := node.candidate) is not None
        }
        return statistics(self._root, state.particles, weights, state.earlier)

    def _free(self) -> int:
        """Particles that are not the reference, which is the last one."""
        return self._options.particles - bool(self.state.reference)

    def _move(self) -> None:
        """One step for all that can take it; a sweep ends where none can."""
        state = self.state
        movers = [place for place in state.particles.alive() if place < self._free()]
        if movers and state.step < self._options.depth:
            state.particles.move(movers, to_end=state.step == self._options.depth - 1)
        else:
            self._end_sweep()

    def _weigh(self) -> None:
        state, particles = self.state, self.state.particles
        if state.reference:
            particles.at[-1] = state.reference[min(state.step, len(state.reference) - 1)]
        state.step += 1
        if any(place < self._free() for place in particles.alive()):
            rng = chance(self._seed, "resample", state.sweep, state.step)
            particles.resample(self._options.resampling, self.log_weights(), self._free(), rng)
        self._move()

    def log_weights(self) -> list[float]:
        """The log of each particle's weight: its log-odds over the temperature."""
        particles, temperature = self.state.particles, self._options.temperature_at(self.state.step - 1)
        weights = [_log_odds(particles.candidate(place)) / temperature for place in range(len(particles.at))]
        return or_uniform(weights, particles.usable())

    def _end_sweep(self) -> None:
        state, particles = self.state, self.state.particles
        state.sweep += 1
        if state.sweep == self._options.sweeps or not particles.usable():
            state.finished = True
            return
        (chosen,) = resample("multinomial", self.log_weights(), 1, chance(self._seed, "reference", state.sweep))
        state.earlier += particles.standing()
        state.reference = particles.way(particles.at[chosen])
        state.step = 0
        particles.at = [ROOT] * self._options.particles
        self._move()


def annealed(first: float, last: float, steps: int, step: int) -> float:
    """The temperature at a step: linear from ``first`` to ``last`` in ``steps``, then constant."""
    return last if step >= steps - 1 else first - (first - last) * step / (steps - 1)


def _log_odds(candidate: Candidate | None) -> float:
    value = score(candidate)
    if value is None or candidate is None or candidate.judgement is None:
        return ZERO
    return log_odds(value, candidate.judgement.scale)


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return options.depth * (options.particles + (options.sweeps - 1) * (options.particles - 1))


def build(options: Options, root: Trajectory, seed: int) -> ParticleFilter:
    """The search below ``root``."""
    return ParticleFilter(options, root, seed)
