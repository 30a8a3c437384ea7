"""The KL meter: how far best-of-N moves answers away from the policy, in nats. Pure functions.

* ``bound``: log N - (N - 1) / N, an upper bound whatever the rewards; reached where no answer has a share of its own.
* ``exact``: for a pool of known answers. The best of N draws lies in a group of equal reward with the probability
  q = F^N - F_before^N, F being the share of all up to the group, and in the group it is distributed as the policy is:
  the sum of q log(q / p) over the groups, p being the group's share.
* ``estimate``: from the share of the answer that won, taken as the best there is and all others as without a share.

Best-of-N here takes the answer of the greatest reward (``select: naive``). Beirami et al., arXiv 2401.01879: the
bound (section 3) was taken for the divergence itself before; the estimator is that of section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def bound(n: int) -> float:
    """The most that best-of-n can diverge from the policy. ValueError where n is below 1."""
    if n < 1:
        raise ValueError(f"best-of-{n}: there is at least one draw")
    return math.log(n) - (n - 1) / n


def exact(shares: Sequence[float], rewards: Sequence[float], n: int) -> float:
    """The divergence over a pool of answers, with the policy's shares (summing to 1) and their rewards."""
    if len(shares) != len(rewards) or not math.isclose(math.fsum(shares), 1.0, abs_tol=1e-9) or min(shares) < 0:
        raise ValueError("there is a share for each reward; shares are not negative and sum to 1")
    groups: dict[float, float] = {}
    for share, reward in zip(shares, rewards, strict=True):
        groups[reward] = groups.get(reward, 0.0) + share
    total, terms = 0.0, list[float]()
    for reward in sorted(groups):
        before, total = total, min(1.0, total + groups[reward])
        best = total**n - before**n
        if best > 0:
            terms.append(best * math.log(best / groups[reward]))
    return math.fsum(terms)


def estimate(share: float, n: int) -> float:
    """The divergence if the answer that won, with this share under the policy, is the best one there is."""
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies in [0, 1]: {share}")
    if share == 0:
        return bound(n)
    if share == 1:
        return 0.0
    others = (1 - share) ** n
    won = 1 - others
    return others * (bound(n) + (n - 1) * math.log1p(-share)) + won * math.log(won / share)


def draws_within(nats: float) -> int:
    """The greatest n whose bound is at most ``nats``; ValueError where that is negative or above 20."""
    if not 0 <= nats <= 20:
        raise ValueError(f"from 0 to 20 nats: {nats}")
    low, high = 1, 2
    while bound(high) <= nats:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bound(middle) <= nats else (low, middle)
    return low
