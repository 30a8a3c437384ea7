"""Scope: on whose behalf a call is made. Carried by a context variable, so plug-ins need not pass it on.

The engine enters a scope around each agent and reward call; the backend wrappers read it to charge the right
budget and to label the journal's rows. Tasks started inside a scope inherit it.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass

from branchwise.orchestrator.core.budget import Account, Tally
from branchwise.orchestrator.core.outlook import Outlook


@dataclass(frozen=True, slots=True)
class Scope:
    """Problem, workflow node and role of a call, and the id of its run.

    ``account`` is charged for what is sent (and paid); ``tally`` counts what was drawn, paid or found in the
    journal alike, so it is the same in every repetition of a run. ``outlook`` says how far the problem has come.
    """

    problem_id: str = ""
    node: str = ""
    role: str = "policy"
    account: Account | None = None
    tally: Tally | None = None
    outlook: Outlook | None = None
    run: str = ""


_current: ContextVar[Scope] = ContextVar("branchwise_scope", default=Scope())  # noqa: B039 - frozen


def current_scope() -> Scope:
    """The scope of the running task."""
    return _current.get()


class scope:
    """Run the body of a ``with`` under the current scope, with the fields that are given changed."""

    __slots__ = ("_inner", "_token")

    def __init__(
        self,
        *,
        problem_id: str | None = None,
        node: str | None = None,
        role: str | None = None,
        account: Account | None = None,
        tally: Tally | None = None,
        outlook: Outlook | None = None,
        run: str | None = None,
    ) -> None:
        # Spelled out: this is entered several times a call, and dataclasses.replace costs more than the rest.
        now = _current.get()
        self._inner = Scope(
            now.problem_id if problem_id is None else problem_id,
            now.node if node is None else node,
            now.role if role is None else role,
            account or now.account,
            now.tally if tally is None else tally,
            outlook or now.outlook,
            now.run if run is None else run,
        )
        self._token: Token[Scope] | None = None

    def __enter__(self) -> Scope:
        self._token = _current.set(self._inner)
        return self._inner

    def __exit__(self, *error: object) -> None:
        assert self._token is not None
        _current.reset(self._token)
