"""Purse: what a search may spend on its problem, booked in ticket order and so independent of timing.

1. Before a ticket is started, the most that each of its children can use is booked with the child's branch
   and the problem, or the ticket is refused.
2. When the ticket is committed, what it used is settled, shared evenly among its children.
3. What tickets used that are never told is charged at the end, once they have stopped, so that it is missing from the
   next node's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from branchwise.orchestrator.core.budget import Account, Reservation
from branchwise.orchestrator.core.errors import BudgetRefused
from branchwise.orchestrator.core.expansion import Expansion
from branchwise.orchestrator.core.usage import NOTHING, Usage

UsageByRole = tuple[tuple[str, Usage], ...]
Bound = Callable[[Expansion], list[tuple[str, Usage]]]


@dataclass(slots=True)
class Purse:
    """The accounts of a problem and its branches (by number of the root's child).

    ``run`` is where this bookkeeping stops, since the run's account is charged when a call is sent. ``bound``
    says the most that one child of an expansion can use, by role.
    """

    problem: Account
    branch: Callable[[int], Account]
    run: Account
    bound: Bound
    _booked: dict[int, list[tuple[str, Reservation]]] = field(default_factory=dict)

    def book(self, expansion: Expansion) -> None:
        """Book every child of an expansion, or nothing and raise BudgetRefused."""
        booked: list[tuple[str, Reservation]] = []
        bounds = self.bound(expansion)
        try:
            for k in range(expansion.first, expansion.first + expansion.count):
                account = self.branch((*expansion.parent.lineage, k)[0])
                booked += [(role, account.reserve(usage, role, until=self.run)) for role, usage in bounds]
        except BudgetRefused:
            for _, reservation in booked:
                reservation.settle()
            raise
        self._booked[expansion.ticket] = booked

    def settle(self, ticket: int, usage: UsageByRole = ()) -> None:
        """Replace a ticket's booking by what it used."""
        booked, used = self._booked.pop(ticket, []), dict(usage)
        for role in {role for role, _ in booked}:
            mine = [reservation for name, reservation in booked if name == role]
            for share, reservation in zip(_shares(used.get(role, NOTHING), len(mine)), mine, strict=True):
                reservation.settle(share)

    def charge(self, usage: UsageByRole) -> None:
        """Charge the problem for what was used without a booking."""
        for role, used in usage:
            self.problem.charge(used, role, until=self.run)


def _shares(usage: Usage, count: int) -> list[Usage]:
    def part(total: int, k: int) -> int:
        return total // count + (k < total % count)

    return [
        Usage(
            part(usage.prompt_tokens, k),
            part(usage.completion_tokens, k),
            calls=part(usage.calls, k),
            money=usage.money / count,
            exact=usage.exact,
        )
        for k in range(count)
    ]
