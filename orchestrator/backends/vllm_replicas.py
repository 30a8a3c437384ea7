"""Replicas of one model: which of them gets a call. Pure: no network.

1. A problem's calls go to one replica, that with the highest hash of (problem, address): the prefixes of its tree are
   cached there, and when a replica comes or goes only its own problems move (rendezvous hashing).
2. A replica that has more than ``cap`` times its fair share of the calls in flight, or whose cache is full while
   requests wait, is passed over in favour of the problem's next one (consistent hashing with bounded loads).
3. A replica that was lost is out until it is healthy again. If all are out they are all tried, call by call, that
   which was lost longest ago first.

Where a call goes is no part of any draw's key. References: Thaler & Ravishankar, "Using name-based mappings to
increase hit rates", 1998; Mirrokni et al., "Consistent hashing with bounded loads", 2018.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.vllm_adapter import Loading


@dataclass(slots=True)
class Replica:
    """One server. ``congested``: its cache is full and requests wait; ``out``: it was lost and is not back."""

    connection: Connection
    adapter: Loading | None = None
    in_flight: int = 0
    congested: bool = False
    out: bool = False
    lost_at: float = 0.0

    @property
    def address(self) -> str:
        """Where it is."""
        return self.connection.where

    def lose(self) -> None:
        """Take it out; when it comes back it has forgotten its adapters."""
        self.out, self.lost_at = True, time.monotonic()
        if self.adapter is not None:
            self.adapter.forget()


class Replicas:
    """All servers of one model."""

    def __init__(self, all_of_them: Sequence[Replica], cap: float = 1.25) -> None:
        self.all = tuple(all_of_them)
        self._cap = cap
        self._order = lru_cache(maxsize=2**16)(self._ordered)

    @property
    def all_out(self) -> bool:
        """Whether no replica is left."""
        return all(replica.out for replica in self.all)

    def choose(self, problem_id: str) -> Replica:
        """The replica for a call on behalf of this problem."""
        if len(self.all) == 1:
            return self.all[0]
        order = [replica for replica in self._order(problem_id) if not replica.out]
        if not order:
            return min(self.all, key=lambda replica: replica.lost_at)
        limit = math.ceil(self._cap * (1 + sum(replica.in_flight for replica in order)) / len(order))
        free = [replica for replica in order if replica.in_flight < limit]
        return next((replica for replica in free if not replica.congested), free[0])

    def _ordered(self, problem_id: str) -> tuple[Replica, ...]:
        return tuple(sorted(self.all, key=lambda replica: _weight(problem_id, replica.address), reverse=True))


def _weight(problem_id: str, address: str) -> bytes:
    return hashlib.blake2b(f"{problem_id}\0{address}".encode("utf-8", "replace"), digest_size=8).digest()
