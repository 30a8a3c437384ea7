"""Transforms: scores made into other scores, without a model. A reducer makes one out of many, a transform does not.

* ``log_preference``: log sigmoid(r - reference), the reference being what a good answer to the problem is given: the
  0.85 quantile of a normal distribution through rewards of reference answers, say. Its sum over properties is the
  soft AND: the log-probability that an answer is good in all of them, if they are independent. Wang et al. 2024,
  "Transforming and Combining Rewards for Aligning Large Language Models", arXiv 2402.00742.
* ``preference``: the mean of sigmoid(k (r - reference)) over reference rewards: bounded, steepest where it matters.
  PAR, Fu et al. 2025, "Reward Shaping to Mitigate Reward Hacking in RLHF", arXiv 2502.18770.
* ``clipped`` and ``deltas`` of step scores, so that no padding with good steps pays. Gao et al. 2024, "On Designing
  Effective RL Reward at Training Time for LLM Reasoning", arXiv 2410.15115. A delta is not ``progress``: it has the
  opposite sign, and what it bounds is the return to go.
* ``z_score`` on a reference sample, so that rewards of different scales can be added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, pstdev

from branchwise.orchestrator.core.judgement import usable
from branchwise.orchestrator.core.selection import logistic


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and (population) standard deviation of a reference sample of rewards."""

    mean: float
    std: float


def moments(rewards: Sequence[float]) -> Moments:
    """Mean and standard deviation of a reference sample; ValueError where it is empty, or not of usable rewards."""
    if not rewards:
        raise ValueError("a reference sample has at least one reward")
    if not usable(*rewards):
        raise ValueError("a reference sample has finite rewards")
    return Moments(fmean(rewards), pstdev(rewards))


def normal_quantile(reference: Moments, share: float) -> float:
    """The quantile of the normal distribution with this mean and deviation; of 0.5 it is the mean."""
    return reference.mean + reference.std * NormalDist().inv_cdf(share)


def z_score(reward: float, reference: Moments) -> float:
    """How many standard deviations a reward is above the mean; ZeroDivisionError where there is no deviation."""
    return (reward - reference.mean) / reference.std


def log_sigmoid(x: float) -> float:
    """log(1 / (1 + exp(-x))), for any finite x."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


def log_preference(reward: float, reference: float) -> float:
    """The log-probability of being preferred to an answer of the reference reward."""
    return log_sigmoid(reward - reference)


def preference(reward: float, references: Sequence[float], steepness: float = 1.0) -> float:
    """The mean probability of being preferred to the reference answers; ValueError where there are none."""
    if not references:
        raise ValueError("a preference needs the reward of a reference answer")
    return fmean(logistic(steepness * (reward - reference)) for reference in references)


def clipped(scores: Sequence[float], ceiling: float) -> list[float]:
    """min(p - ceiling, 0) of each step: what is above the ceiling neither gains nor loses."""
    return [min(score - ceiling, 0.0) for score in scores]


def deltas(scores: Sequence[float]) -> list[float]:
    """Each step's score less the next one's; the last but one keeps its own, the last is 0: the outcome speaks there.

    So the sum from step k on is p_k, however many steps follow.
    """
    if not scores:
        return []
    kept = scores[:-1]
    return [one - following for one, following in pairwise([*kept, 0.0])] + [0.0]


def progress(scores: Sequence[float], start: float = 0.0) -> list[float]:
    """Each step's score less that of the step before, the first one's less ``start``."""
    return [one - before for before, one in pairwise([start, *scores])]
