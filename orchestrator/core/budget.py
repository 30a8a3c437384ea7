"""Budget: reserve before spending, settle afterwards; run -> problem -> branch, with limits by role on each.

1. ``reserve`` asks every account from this one upwards whether the worst case still fits, and books it.
2. The call is made.
3. ``settle`` replaces the booking by what was really used; what was never sent is given back whole.

A hard limit books the counted prompt plus max_tokens, so it is never overshot (where prompts could only be
estimated from above, that estimate is booked). A soft limit books the mean of what settled calls used, so it
is overshot by no more than what is in flight. Limits on a branch and a problem are booked by the search
driver in ticket order, which keeps them independent of timing; the run's is booked when a call is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from branchwise.orchestrator.core.errors import BudgetRefused, Suspended
from branchwise.orchestrator.core.usage import NOTHING, Usage

RESOURCES = ("tokens", "calls", "money")


class RoleLimits(BaseModel):
    """Limits on what one role (policy, verifier, reviewer, ...) may use within a scope."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    tokens: int | None = Field(None, gt=0, description="Prompt and completion tokens together.")
    calls: int | None = Field(None, gt=0, description="Requests; those of a run with their retries.")
    money: float | None = Field(None, gt=0, description="In the currency of the models' prices.")


class Limits(RoleLimits):
    """Limits on one scope, over all roles and by role."""

    roles: dict[str, RoleLimits] = Field(default_factory=dict, description="Limits by role.")


class TimedLimits(Limits):
    """Limits on a run or a problem, which also have a clock."""

    seconds: float | None = Field(None, gt=0, description="Elapsed seconds; the time between resumes is free.")


class Budget(BaseModel):
    """All limits of a run: on the whole, on each problem, on each branch (the subtree of a root's child)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mode: Literal["hard", "soft"] = Field(
        "hard", description="hard: book the worst case, never overshoot; soft: book the mean."
    )
    run: TimedLimits = Field(default_factory=TimedLimits, description="Limits on the whole run.")
    problem: TimedLimits = Field(default_factory=TimedLimits, description="Limits on each problem.")
    branch: Limits = Field(default_factory=Limits, description="Limits below each child of a search's root.")


@dataclass(slots=True)
class Tally:
    """Usage by role, counted up."""

    by_role: dict[str, Usage] = field(default_factory=dict)

    def add(self, role: str, usage: Usage) -> None:
        """Count ``usage`` for ``role``."""
        self.by_role[role] = self.by_role.get(role, NOTHING) + usage

    def merge(self, other: Tally) -> None:
        """Count all that ``other`` counted."""
        for role, usage in other.by_role.items():
            self.add(role, usage)

    @property
    def total(self) -> Usage:
        """Usage of all roles together."""
        return sum(self.by_role.values(), NOTHING)


@dataclass(slots=True)
class _Book:
    """What one scope (or one role in it) has settled and booked."""

    settled: Usage = NOTHING
    settled_count: int = 0
    booked_tokens: int = 0
    booked_calls: int = 0
    booked_money: float = 0.0

    def level(self, resource: str) -> float:
        booked: float = getattr(self, f"booked_{resource}")
        settled: float = getattr(self.settled, resource)
        return booked + settled

    def book(self, usage: Usage, sign: int = 1) -> None:
        self.booked_tokens += sign * usage.tokens
        self.booked_calls += sign * usage.calls
        self.booked_money += sign * usage.money

    def mean(self) -> Usage:
        n = max(1, self.settled_count)
        tokens, calls = -(-self.settled.tokens // n), -(-self.settled.calls // n)
        return Usage(completion_tokens=tokens, calls=calls, money=self.settled.money / n)


@dataclass(slots=True)
class Account:
    """One scope's limits and spending; ``parent`` is charged too."""

    name: str
    limits: Limits
    mode: Literal["hard", "soft"] = "hard"
    parent: Account | None = None
    _total: _Book = field(default_factory=_Book)
    _roles: dict[str, _Book] = field(default_factory=dict)
    _suspended: str = ""

    @property
    def suspended(self) -> str:
        """Why nothing more may be sent on this account; empty while something may."""
        return self._suspended

    def suspend(self, reason: str) -> None:
        """Let nothing more be sent on this account: every further reservation raises Suspended with the reason."""
        self._suspended = self._suspended or reason

    def bounded(self, until: Account | None = None) -> bool:
        """True where a limit other than of time is set here or above, below ``until``."""
        return any(account._limited() for account in self._chain(until))

    @property
    def spent(self) -> Usage:
        """What has been settled."""
        return self._total.settled

    @property
    def booked_tokens(self) -> int:
        """Tokens that are reserved and not settled yet."""
        return self._total.booked_tokens

    @property
    def booked_calls(self) -> int:
        """Calls that are reserved and not settled yet: on a run's account, those in flight."""
        return self._total.booked_calls

    def reserve(self, bound: Usage, role: str, *, until: Account | None = None) -> Reservation:
        """Book ``bound`` here and in every account above (below ``until``), or raise BudgetRefused.

        All or nothing: a refusal books nowhere.
        """
        entries: list[tuple[_Book, Usage]] = []
        for account in self._chain(until):
            if account._suspended:
                raise Suspended(account._suspended)
            wanted = account._wanted(bound, role)
            account._check(wanted, role)
            entries += [(account._total, wanted), (account._role(role), wanted)]
        for book, wanted in entries:
            book.book(wanted)
        return Reservation(entries)

    def charge(self, usage: Usage, role: str, *, until: Account | None = None) -> None:
        """Settle ``usage`` that was never reserved (restored from a journal, say)."""
        for account in self._chain(until):
            for book in (account._total, account._role(role)):
                book.settled += usage
                book.settled_count += 1

    def _chain(self, until: Account | None) -> Iterator[Account]:
        account: Account | None = self
        while account is not None and account is not until:
            yield account
            account = account.parent

    def _limited(self) -> bool:
        limits = (self.limits, *self.limits.roles.values())
        return any(getattr(one, resource) is not None for one in limits for resource in RESOURCES)

    def _wanted(self, bound: Usage, role: str) -> Usage:
        return bound if self.mode == "hard" else self._role(role).mean()

    def _check(self, wanted: Usage, role: str) -> None:
        role_limits = self.limits.roles.get(role)
        for book, limits, name in (
            (self._total, self.limits, self.name),
            (self._role(role), role_limits, f"{self.name}, {role}"),
        ):
            if limits is None:
                continue
            for resource in RESOURCES:
                limit = getattr(limits, resource)
                if limit is None:
                    continue
                level = book.level(resource) + getattr(wanted, resource)
                if level > limit or (self.mode == "soft" and book.level(resource) >= limit):
                    raise BudgetRefused(name, resource, limit, level)

    def _role(self, role: str) -> _Book:
        return self._roles.setdefault(role, _Book())


@dataclass(slots=True)
class Reservation:
    """A booking. Settle it once; a second settlement is ignored."""

    _entries: list[tuple[_Book, Usage]]

    def settle(self, used: Usage = NOTHING) -> None:
        """Replace the booking by what was used; ``settle()`` gives all of it back."""
        for book, wanted in self._entries:
            book.book(wanted, -1)
            if used is not NOTHING:
                book.settled += used
                book.settled_count += 1
        self._entries = []
