"""The errors, by the boundary that broke.

::

    BranchwiseError
    ├── ConfigError          a workflow, task, option or file is wrong: stops before anything is spent
    ├── JournalError         the record can't be written or read: stops the run, which can be resumed
    │   ├── NotOnRecord      a replay lacks a draw that it needs
    │   └── Suspended        the run is to stop (SIGINT, a server that stays away): drain, save, resume later
    ├── BudgetRefused        a call that would break a budget; becomes a StopReason, never reaches the user
    └── BoundaryError        one call to the outside failed: becomes a Failure, the siblings go on
        ├── BackendError         a model could not answer (retryable or not)
        │   └── ConnectionLost       its server was lost in the middle of an answer
        │       └── Unreachable      ... or can't be reached at all: no fault of this call's
        │           └── Unavailable      ... as what stands before it says
        ├── SandboxError         a sandbox could not run
        ├── EnvironmentFailure   a task's world broke
        ├── RewardFailure        a reward could not be computed
        └── AgentFormatError     a model's text could not be parsed

A bad rollout is data: a BoundaryError is caught at the candidate it belongs to and counted by boundary.
Anything that is not in this tree is our own bug and crashes loudly. Not errors at all: a wrong answer, a
non-zero exit code, every StopReason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Boundary = Literal["backend", "sandbox", "environment", "reward", "format"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is recorded of an error: the boundary that broke and one sentence."""

    boundary: Boundary
    message: str


class BranchwiseError(Exception):
    """Root of everything that Branchwise raises on purpose."""


class ConfigError(BranchwiseError, ValueError):
    """The input is wrong; the message names place and remedy."""


class JournalError(BranchwiseError, OSError):
    """The journal can't be written or read."""


class NotOnRecord(JournalError):
    """A replay lacks a draw that it needs."""


class Suspended(JournalError):
    """No further call is made because the run is to stop."""


class BudgetRefused(BranchwiseError):
    """A reservation would break a limit."""

    def __init__(self, scope: str, resource: str, limit: float, wanted: float) -> None:
        super().__init__(f"{scope} budget: {resource} limit {limit:g}, would reach {wanted:g}")
        self.scope = scope
        self.resource = resource


class BoundaryError(BranchwiseError):
    """Root of the failures that cost one candidate."""

    boundary: ClassVar[Boundary] = "backend"

    def failure(self) -> Failure:
        """This error as data."""
        return Failure(self.boundary, str(self) or type(self).__name__)


class BackendError(BoundaryError):
    """A model could not answer. ``retryable`` says whether the same request may work later."""

    def __init__(self, message: str, *, retryable: bool = False, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class ConnectionLost(BackendError):
    """The server was lost in the middle of an answer."""


class Unreachable(ConnectionLost):
    """No connection to the server could be made: nothing was sent."""


class Unavailable(Unreachable):
    """What stands before the server, or itself, says that it is away for now: nothing was begun."""


class ContextOverflow(BackendError):
    """The prompt is longer than the model's context: the trajectory stops, nothing failed."""


class SandboxError(BoundaryError):
    """A sandbox could not run."""

    boundary = "sandbox"


class EnvironmentFailure(BoundaryError):
    """A task's world broke."""

    boundary = "environment"


class RewardFailure(BoundaryError):
    """A reward could not be computed."""

    boundary = "reward"


class AgentFormatError(BoundaryError):
    """A model's text could not be parsed."""

    boundary = "format"
