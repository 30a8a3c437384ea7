"""Decisions: what a search's driver decided, in order. They are journalled, replayed and sent out as events."""

from __future__ import annotations

from dataclasses import dataclass

from branchwise.orchestrator.core.expansion import Expansion, Outcome
from branchwise.orchestrator.core.trajectory import StopReason
from branchwise.orchestrator.core.usage import Usage


@dataclass(frozen=True, slots=True)
class Asked:
    """The search was asked with this room and wanted these tickets."""

    room: int
    expansions: tuple[Expansion, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """The search was told this outcome."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Refused:
    """A budget refused these tickets before anything was sent for them; they are never told."""

    tickets: tuple[int, ...]
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Stopped:
    """The search ended; the tickets still out are cancelled and never told."""

    reason: StopReason
    cancelled: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """What the cancelled tickets had used by the time they stopped, by role."""

    usage: tuple[tuple[str, Usage], ...]


Decision = Asked | Told | Refused | Stopped | Settled
