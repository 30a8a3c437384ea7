"""Posteriors of a mean reward, to be drawn from by Thompson sampling: normal, or beta for rewards in [0, 1]. Pure.

``normal``: mean and variance unknown, with the normal-inverse-chi-square prior m = 0, kappa = 1, nu = 1, tau^2 = 0.1:

    kappa' = kappa + n;  nu' = nu + n;  m' = (kappa m + n mean) / kappa'
    tau^2' = (nu tau^2 + S + n kappa (m - mean)^2 / (kappa + n)) / nu'

(Murphy, "Probabilistic Machine Learning: Advanced Topics", section 3.4.3). ``beta``: the prior Beta(0.5, 0.5), and a
reward r counts as r successes and 1 - r failures.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from typing import Final, Literal

Family = Literal["normal", "beta"]
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Observed:
    """What a posterior needs of rewards: how many, their mean, the sum of squared deviations from it."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def seeing(self, reward: float) -> Observed:
        """These and one more."""
        return self + Observed(1, reward)

    def __add__(self, other: Observed) -> Observed:
        count = self.count + other.count
        if not count:
            return self
        gap = other.mean - self.mean
        return Observed(
            count,
            self.mean + gap * other.count / count,
            self.squares + other.squares + gap * gap * self.count * other.count / count,
        )


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal distribution's parameters, distributed as normal-inverse-chi-square."""

    m: float = 0.0
    kappa: float = 1.0
    nu: float = 1.0
    tau2: float = 0.1

    def after(self, seen: Observed) -> Normal:
        """The posterior after these observations."""
        kappa, nu, n = self.kappa + seen.count, self.nu + seen.count, seen.count
        shift = n * self.kappa * (self.m - seen.mean) ** 2 / kappa
        m = (self.kappa * self.m + n * seen.mean) / kappa
        return Normal(m, kappa, nu, (self.nu * self.tau2 + seen.squares + shift) / nu)

    @property
    def mean(self) -> float:
        """The expected mean reward."""
        return self.m

    def draw(self, rng: random.Random) -> float:
        """A mean reward: the variance from its inverse gamma distribution, then the mean given it."""
        gamma = max(rng.gammavariate(self.nu / 2, 1.0), sys.float_info.min)
        return rng.gauss(self.m, math.sqrt(self.nu * self.tau2 / 2 / gamma / self.kappa))


@dataclass(frozen=True, slots=True)
class Beta:
    """A probability, distributed as beta."""

    a: float = 0.5
    b: float = 0.5

    def after(self, seen: Observed) -> Beta:
        """The posterior after these observations. ValueError where their mean shows that one was not in [0, 1]."""
        if seen.count and not -TOLERANCE <= seen.mean <= 1 + TOLERANCE:
            raise ValueError(f"a beta posterior is one of rewards in [0, 1], not of {seen.mean} on the mean")
        successes = seen.count * min(max(seen.mean, 0.0), 1.0)
        return Beta(self.a + successes, self.b + seen.count - successes)

    @property
    def mean(self) -> float:
        """The expected mean reward."""
        return self.a / (self.a + self.b)

    def draw(self, rng: random.Random) -> float:
        """A mean reward."""
        return rng.betavariate(self.a, self.b)


Posterior = Normal | Beta


def posterior(family: Family, seen: Observed) -> Posterior:
    """The posterior after what was seen."""
    prior: Posterior = Normal() if family == "normal" else Beta()
    return prior.after(seen)


def with_pending(family: Family, seen: Observed, pending: int) -> Observed:
    """What was seen, and ``pending`` further rewards as the posterior expects them."""
    return seen + Observed(pending, posterior(family, seen).mean) if pending else seen
