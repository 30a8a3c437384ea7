"""Transforms: scores made into other scores, without a model. A reducer makes one out of many, a transform does not.

* ``log_preference``: log sigmoid(r - reference), and ``soft_and``, its sum over properties: the log-probability that
  an answer is good in all of them, if they are independent. Wang et al. 2024, "Transforming and Combining Rewards for
  Aligning Large Language Models", arXiv 2402.00742.
* ``preference``: the mean of sigmoid(k (r - reference)) over reference rewards: bounded, steepest where it matters.
  PAR, Fu et al. 2025, "Reward Shaping to Mitigate Reward Hacking in RLHF", arXiv 2502.18770.
* ``clipped`` and ``deltas`` of step scores, so that no padding with good steps pays. Gao et al. 2024, "On Designing
  Effective RL Reward at Training Time for LLM Reasoning", arXiv 2410.15115. A delta is not ``progress``: it has the
  opposite sign, and what it bounds is the return to go.
* ``normalised``: the z-score on a reference sample, so that rewards of different scales can be added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean, pstdev

from branchwise.orchestrator.core.selection import logistic


@dataclass(frozen=True, slots=True)
class Sample:
    """What is known of a reference sample of rewards: its mean and its (population) standard deviation."""

    mean: float
    spread: float


def sample_of(rewards: Sequence[float]) -> Sample:
    """Mean and spread of a reference sample; ValueError where it is empty."""
    if not rewards:
        raise ValueError("a reference sample has at least one reward")
    return Sample(fmean(rewards), pstdev(rewards))


def normalised(reward: float, sample: Sample) -> float:
    """The z-score of a reward; 0 where the reference rewards are all equal and so tell nothing."""
    return (reward - sample.mean) / sample.spread if sample.spread > 0 else 0.0


def log_sigmoid(x: float) -> float:
    """log(1 / (1 + exp(-x))), for any finite x."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


def log_preference(reward: float, reference: float) -> float:
    """The log-probability of being preferred to an answer of the reference reward."""
    return log_sigmoid(reward - reference)


def soft_and(rewards: Sequence[float], references: Sequence[float]) -> float:
    """The log-probability of being good in every property; ValueError for unequal lengths."""
    return math.fsum(log_preference(*pair) for pair in zip(rewards, references, strict=True))


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


def returns_to_go(rewards: Sequence[float]) -> list[float]:
    """For each step the sum of its reward and all that follow."""
    return list(accumulate(reversed(rewards)))[::-1]
