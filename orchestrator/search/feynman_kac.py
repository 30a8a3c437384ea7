"""Feynman-Kac steering: particles resampled by potentials, so that answers come out tilted towards the reward.

After each step with reward r_t (before the first, ``initial_reward``), with lambda the ``strength``:

==============  ================================  ===================
potential       log G_t                           carried forward
==============  ================================  ===================
``difference``  lambda (r_t - carried)            r_t
``max``         lambda max(carried, r_t)          max(carried, r_t)
``sum``         lambda (carried + r_t)            carried + r_t
``current``     lambda r_t                        r_t
==============  ================================  ===================

1. Every particle takes one step, and its log-weight grows by log G_t (at every ``every``-th step).
2. When the effective sample size falls below ``threshold`` times the particles, resample, and weights are 1 again;
   until then they are kept.
3. A particle whose answer is finished gets, once, what makes the product of its potentials exp(lambda r_T): so the
   weighted particles stand for the policy's distribution times exp(lambda r_T). Later steps leave it as it is.
4. Repeat until no particle can go on; at ``depth`` the answers are drawn to their end.

Two departures: ``max`` and ``sum`` end exactly at r_T, where the published code takes what is carried (``correction:
carried``), and a weight that does not lead to resampling is not forgotten. ``threshold`` 1 resamples whenever weights
differ. The answer is that of the greatest last reward; for a vote among particles that stand for the target, all with
the same weight, set ``resample_last``. A particle whose step is lost, or not judged, has weight zero.

Singhal et al., arXiv 2501.06848.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.selection import Rule
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.ancestry import statistics
from branchwise.orchestrator.search.particles import ROOT, Particles, score
from branchwise.orchestrator.search.resampling import ZERO, Scheme, effective_size

Potential = Literal["difference", "max", "sum", "current"]


class Options(_Options):
    """Options of Feynman-Kac steering."""

    kind: Literal["feynman_kac"] = "feynman_kac"
    particles: int = Field(4, gt=0, description="Partial solutions under way together.")
    depth: int = Field(8, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    strength: float = Field(10.0, ge=0, le=1e6, description="Lambda: how much the reward counts; 0: no steering.")
    potential: Potential = Field("difference", description="What of the rewards so far a particle is weighed by.")
    every: int = Field(1, gt=0, description="Weigh at every so many steps, and at the end.")
    initial_reward: float = Field(0.0, description="Reward before the first step: the least there is.")
    threshold: float = Field(0.5, ge=0, le=1, description="Resample below this share of effective particles.")
    resampling: Scheme = Field("multinomial", description="How ancestors are drawn.")
    correction: Literal["exact", "carried"] = Field(
        "exact", description="What the last weight of max and sum makes up for."
    )
    resample_last: bool = Field(False, description="Resample at the end too: equal weights, for a vote.")
    wants_reward: ClassVar[bool] = True
    own_select: ClassVar[Rule] = "naive"
    stepwise: ClassVar[bool] = True


@dataclass(slots=True)
class Weighed:
    """What a particle carries: of its rewards, the log of all potentials of its lineage, and of those not spent.

    ``log_weight`` is None for a weight of zero.
    """

    carried: float
    potentials: float = 0.0
    log_weight: float | None = 0.0

    def apply(self, gain: float) -> None:
        """Multiply the weight by a potential, in logs."""
        self.potentials += gain
        if self.log_weight is not None:
            self.log_weight += gain


@dataclass(slots=True)
class State:
    """Everything that changes; ``weighed`` has one entry a particle."""

    particles: Particles
    weighed: list[Weighed]
    movers: list[int] = field(default_factory=list)
    step: int = 0
    finished: bool = False


class FeynmanKac:
    """The search over one problem."""

    def __init__(self, options: Options, root: Trajectory, seed: int) -> None:
        self._options, self._root, self._seed = options, root, seed
        count = options.particles
        self.state = State(Particles([ROOT] * count), [Weighed(options.initial_reward) for _ in range(count)])
        self._move()

    @property
    def finished(self) -> bool:
        """True when no particle can go on."""
        return self.state.finished

    def ask(self, room: int) -> list[Expansion]:
        """The steps of particles that have not been asked for yet."""
        return self.state.particles.ask(self._root, room)

    def tell(self, outcome: Outcome) -> None:
        """Move particles; when all have moved, weigh them, resample if need be, and go on."""
        particles = self.state.particles
        particles.tell(outcome)
        if particles.moving:
            return
        self._weigh_all()
        if particles.alive() and effective_size(self.log_weights()) < self._options.threshold * len(particles.at):
            self._resample()
        self._move()

    def candidates(self) -> list[Candidate]:
        """The finished answers that the particles are; else, any that there were."""
        return self.state.particles.standing() or self.state.particles.ever()

    def statistics(self) -> Statistics:
        """Particles that came through every node, and the log-weight of those that stand there now."""
        particles = self.state.particles
        places = enumerate(map(particles.candidate, range(len(particles.at))))
        standing = {each.trajectory.lineage: place for place, each in places if each is not None}
        weights = self.log_weights()
        known = {lineage: weights[place] for lineage, place in standing.items()}
        return statistics(self._root, particles, known)

    def log_weights(self) -> list[float]:
        """The log of each particle's weight."""
        return [ZERO if one.log_weight is None else one.log_weight for one in self.state.weighed]

    def _move(self) -> None:
        state, depth = self.state, self._options.depth
        state.movers = state.particles.alive() if state.step < depth else []
        if state.movers:
            state.particles.move(state.movers, to_end=state.step == depth - 1)
            return
        if self._options.resample_last and state.particles.usable():
            self._resample()
        state.finished = True

    def _weigh_all(self) -> None:
        state = self.state
        state.step += 1
        for place in state.movers:
            self._weigh(place)
        if all(one.log_weight is None for one in state.weighed):  # nobody could be judged: they go on as equals
            for place in state.particles.usable():
                state.weighed[place].log_weight = 0.0

    def _weigh(self, place: int) -> None:
        one, candidate = self.state.weighed[place], self.state.particles.candidate(place)
        if candidate is None or not (candidate.alive or candidate.done):
            one.log_weight = None
        elif candidate.done or self.state.step % self._options.every == 0:
            reward = score(candidate)
            if reward is None:
                one.log_weight = None
            elif candidate.done:
                one.apply(self._last(one, reward))
            else:
                gain, one.carried = potential(self._options.potential, self._options.strength, one.carried, reward)
                one.apply(gain)

    def _last(self, one: Weighed, reward: float) -> float:
        """The log of a finished particle's last potential."""
        options = self._options
        gain, carried = potential(options.potential, options.strength, one.carried, reward)
        if options.potential == "difference":
            return gain
        target = carried if options.correction == "carried" else reward
        return options.strength * target - one.potentials

    def _resample(self) -> None:
        state, count = self.state, self._options.particles
        rng = chance(self._seed, "resample", state.step)
        ancestors = state.particles.resample(self._options.resampling, self.log_weights(), count, rng)
        before = state.weighed
        state.weighed = [Weighed(before[one].carried, before[one].potentials) for one in ancestors]


def potential(kind: Potential, strength: float, carried: float, reward: float) -> tuple[float, float]:
    """The log of a step's potential, and what is carried forward."""
    match kind:
        case "difference":
            return strength * (reward - carried), reward
        case "max":
            carried = max(carried, reward)
        case "sum":
            carried += reward
        case "current":
            carried = reward
    return strength * carried, carried


def most_draws(options: Options) -> int:
    """Draws of the policy that one problem takes at most."""
    return options.depth * options.particles


def build(options: Options, root: Trajectory, seed: int) -> FeynmanKac:
    """The search below ``root``."""
    return FeynmanKac(options, root, seed)
