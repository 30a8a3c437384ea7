"""Whose call goes first when a slot of an endpoint is free: all of it below the search, which never notices.

``arrival``               first come, first served.
``fair``                  the problem that holds the fewest slots; of those the one served longest ago. A problem that
                          asks for a hundred draws at once does not hold up one that asks for two.
``shortest_remaining``    the problem with the fewest draws still to come: results come early, and with them places
                          for new problems.
``value_of_information``  the problem whose next vote says most: what matters when the budget or the time ends first.

Calls of one problem go in order of arrival under every rule. Only calls that are ready to be sent wait for a slot,
so a problem holds none while it backs off or thinks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from branchwise.orchestrator.core.outlook import Outlook
from branchwise.orchestrator.core.scope import current_scope

Turns = Literal["fair", "arrival", "shortest_remaining", "value_of_information"]


@dataclass(slots=True)
class Party:
    """The calls of one problem at one endpoint."""

    outlook: Outlook | None = None
    holds: int = 0
    served: int = 0
    queue: deque[asyncio.Future[None]] = field(default_factory=deque)


_FIRST: dict[Turns, Callable[[Party], tuple[float, ...]]] = {
    "fair": lambda party: (party.holds, party.served),
    "shortest_remaining": lambda party: (_remaining(party.outlook), party.holds, party.served),
    "value_of_information": lambda party: (-_worth(party.outlook), party.holds, party.served),
}


class Slots:
    """A semaphore that lets problems take turns; a cancelled waiter neither leaks a slot nor takes a turn."""

    def __init__(self, count: int, turns: Turns = "arrival") -> None:
        self._free = count
        self._first = _FIRST.get(turns)
        self._parties: dict[str, Party] = {}
        self._given = 0
        self.waiting = 0

    async def acquire(self) -> str:
        """Take a slot, waiting for it if need be; gives back whose it is, for ``release``."""
        name, party = self._party()
        if self._free:
            self._free -= 1
            self._give(party)
            return name
        turn = asyncio.get_running_loop().create_future()
        party.queue.append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(name)
            else:  # the slot was ours already: cancelled in the same turn of the loop
                self.release(name)
            raise
        finally:
            self.waiting -= 1
        return name

    def release(self, name: str = "") -> None:
        """Give a slot back, and hand it on to whoever comes first of those who wait."""
        self._parties[name].holds -= 1
        waiting = [party for party in self._parties.values() if _trimmed(party.queue)]
        if waiting:
            party = min(waiting, key=self._first) if self._first is not None else waiting[0]
            self._give(party)
            party.queue.popleft().set_result(None)
        else:
            self._free += 1
        self._forget(name)

    def _party(self) -> tuple[str, Party]:
        if self._first is None:  # one queue for everybody
            return "", self._parties.setdefault("", Party())
        scope = current_scope()
        party = self._parties.setdefault(scope.problem_id, Party())
        party.outlook = scope.outlook
        return scope.problem_id, party

    def _give(self, party: Party) -> None:
        self._given += 1
        party.holds, party.served = party.holds + 1, self._given

    def _forget(self, name: str) -> None:
        party = self._parties.get(name)  # None: others of its waiters were cancelled in the same turn
        if party is not None and not party.holds and not _trimmed(party.queue):
            del self._parties[name]


def _trimmed(queue: deque[asyncio.Future[None]]) -> bool:
    """Drop those in front who no longer wait; True where somebody does."""
    while queue and queue[0].done():
        queue.popleft()
    return bool(queue)


def _remaining(outlook: Outlook | None) -> float:
    return inf if outlook is None or outlook.remaining_draws is None else outlook.remaining_draws


def _worth(outlook: Outlook | None) -> float:
    return 0.0 if outlook is None else outlook.value_of_information
