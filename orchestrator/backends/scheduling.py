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
from operator import attrgetter
from typing import Literal

from branchwise.orchestrator.core.outlook import Outlook
from branchwise.orchestrator.core.scope import current_scope

Turns = Literal["fair", "arrival", "shortest_remaining", "value_of_information"]


@dataclass(slots=True)
class Party:
    """The calls of one problem at one endpoint."""

    name: str
    outlook: Outlook | None = None
    holds: int = 0
    served: int = 0
    queue: deque[asyncio.Future[None]] = field(default_factory=deque)


_FIRST: dict[Turns, Callable[[Party], tuple[float, ...]]] = {
    "fair": attrgetter("holds", "served"),
    "shortest_remaining": lambda party: (_remaining(party.outlook), party.holds, party.served),
    "value_of_information": lambda party: (-_worth(party.outlook), party.holds, party.served),
}


class Slots:
    """A semaphore that lets problems take turns; a cancelled waiter neither leaks a slot nor takes a turn."""

    def __init__(self, count: int, turns: Turns = "arrival") -> None:
        self._free = count
        self._first = _FIRST.get(turns)
        self._parties: dict[str, Party] = {}
        self._queued: dict[str, Party] = {}  # those of them whose calls wait
        self._given = 0
        self.waiting = 0

    async def acquire(self) -> str:
        """Take a slot, waiting for it if need be; gives back whose it is, for ``release``."""
        party = self._party()
        if self._free:
            self._free -= 1
            self._give(party)
            return party.name
        turn = asyncio.get_running_loop().create_future()
        party.queue.append(turn)
        self._queued[party.name] = party
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                if turn in party.queue:
                    self._unqueue(party, turn)
                    self._forget(party)
            else:  # the slot was ours already: cancelled in the same turn of the loop
                self.release(party.name)
            raise
        finally:
            self.waiting -= 1
        return party.name

    def release(self, name: str = "") -> None:
        """Give a slot back, and hand it on to whoever comes first of those who wait."""
        own = self._parties[name]
        own.holds -= 1
        while self._queued:
            party = self._next()
            turn = party.queue[0]
            self._unqueue(party, turn)
            if not turn.done():
                self._give(party)
                turn.set_result(None)
                break
            self._forget(party)  # cancelled in this turn of the loop
        else:
            self._free += 1
        self._forget(own)

    def _party(self) -> Party:
        if self._first is None:  # one queue for everybody
            return self._parties.setdefault("", Party(""))
        scope = current_scope()
        name = scope.problem_id
        party = self._parties.get(name) or self._parties.setdefault(name, Party(name))
        party.outlook = scope.outlook
        return party

    def _next(self) -> Party:
        waiting = self._queued.values()
        return min(waiting, key=self._first) if self._first is not None else next(iter(waiting))

    def _give(self, party: Party) -> None:
        self._given += 1
        party.holds, party.served = party.holds + 1, self._given

    def _unqueue(self, party: Party, turn: asyncio.Future[None]) -> None:
        party.queue.remove(turn)
        if not party.queue:
            del self._queued[party.name]

    def _forget(self, party: Party) -> None:
        if not party.holds and not party.queue:
            self._parties.pop(party.name, None)


def _remaining(outlook: Outlook | None) -> float:
    return inf if outlook is None or outlook.remaining_draws is None else outlook.remaining_draws


def _worth(outlook: Outlook | None) -> float:
    return 0.0 if outlook is None else outlook.value_of_information
