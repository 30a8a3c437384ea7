"""Scope: on whose behalf a call is made. Carried by a context variable, so plug-ins need not pass it on.

The engine enters a scope around each agent and reward call; the backend wrappers read it to charge the right
budget and to label the journal's rows. Tasks started inside a scope inherit it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from branchwise.orchestrator.core.budget import Account, Tally


@dataclass(frozen=True, slots=True)
class Scope:
    """Problem, workflow node and role of a call.

    ``account`` is charged for what is sent (and paid); ``tally`` counts what was drawn, paid or found in the
    journal alike, so it is the same in every repetition of a run.
    """

    problem_id: str = ""
    node: str = ""
    role: str = "policy"
    account: Account | None = None
    tally: Tally | None = None


_current: ContextVar[Scope] = ContextVar("branchwise_scope", default=Scope())  # noqa: B039 - frozen


def current_scope() -> Scope:
    """The scope of the running task."""
    return _current.get()


@contextmanager
def scope(**changes: object) -> Iterator[Scope]:
    """Run the body under the current scope with these fields changed."""
    inner = replace(_current.get(), **changes)  # type: ignore[arg-type]
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)
