"""The budget's arithmetic: all or nothing, zero overshoot when hard, given back when not used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from branchwise.orchestrator.core.budget import Account, Limits, RoleLimits
from branchwise.orchestrator.core.errors import BudgetRefused, Suspended
from branchwise.orchestrator.core.usage import Usage


def chain(run: int | None, problem: int | None, branch: int | None, mode: str = "hard") -> list[Account]:
    accounts: list[Account] = []
    for name, limit in (("run", run), ("problem", problem), ("branch", branch)):
        parent = accounts[-1] if accounts else None
        accounts.append(Account(name, Limits(tokens=limit), mode, parent))  # type: ignore[arg-type]
    return accounts


def test_a_refusal_names_the_scope_and_books_nowhere() -> None:
    run, problem, branch = chain(100, 50, 200)
    with pytest.raises(BudgetRefused, match="problem budget: tokens limit 50") as refused:
        branch.reserve(Usage(completion_tokens=60), "policy")
    assert (refused.value.scope, refused.value.resource) == ("problem", "tokens")
    assert [account.booked_tokens for account in (run, problem, branch)] == [0, 0, 0]


def test_what_was_not_used_is_given_back_at_every_level() -> None:
    run, problem, branch = chain(100, None, None)
    first = branch.reserve(Usage(10, 80, calls=1), "policy")
    with pytest.raises(BudgetRefused):
        problem.reserve(Usage(completion_tokens=20), "policy")
    first.settle(Usage(10, 5, calls=1))
    first.settle(Usage(10, 5, calls=1))  # a second settlement is ignored
    assert run.spent == Usage(10, 5, calls=1)
    problem.reserve(Usage(completion_tokens=85), "policy").settle()
    assert run.spent.tokens == 15


def test_a_role_has_a_limit_of_its_own() -> None:
    limits = Limits(roles={"verifier": RoleLimits(calls=2)})
    account = Account("run", limits)
    for _ in range(2):
        account.reserve(Usage(calls=1), "verifier")
    with pytest.raises(BudgetRefused, match="run, verifier budget: calls limit 2"):
        account.reserve(Usage(calls=1), "verifier")
    account.reserve(Usage(calls=1), "policy")


def test_bookkeeping_below_the_run_leaves_the_run_alone() -> None:
    run, problem, branch = chain(10, None, None)
    branch.reserve(Usage(completion_tokens=500), "policy", until=run).settle(Usage(completion_tokens=400))
    assert (run.spent.tokens, problem.spent.tokens, branch.spent.tokens) == (0, 400, 400)


def test_a_suspended_account_sends_nothing_more() -> None:
    run, _, branch = chain(None, None, None)
    run.suspend("enough")
    run.suspend("later")
    with pytest.raises(Suspended, match="enough"):
        branch.reserve(Usage(calls=1), "policy")


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_limit_of_nothing_is_refused(wrong: int) -> None:
    with pytest.raises(ValidationError):
        Limits(tokens=wrong)


calls = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans()), max_size=60)


@given(calls, st.integers(1, 200))
def test_a_hard_budget_is_never_overshot(wanted: list[tuple[int, int, bool]], limit: int) -> None:
    run, _, branch = chain(limit, None, None)
    out = []
    for bound, used, early in wanted:
        try:
            out.append((branch.reserve(Usage(completion_tokens=bound), "policy"), min(used, bound)))
        except BudgetRefused:
            pass
        if early and out:
            reservation, spent = out.pop(0)
            reservation.settle(Usage(completion_tokens=spent))
        assert run.spent.tokens + run.booked_tokens <= limit
    for reservation, spent in out:
        reservation.settle(Usage(completion_tokens=spent))
    assert run.spent.tokens <= limit
    assert run.booked_tokens == 0


@given(calls, st.integers(1, 200))
def test_a_soft_budget_is_overshot_by_no_more_than_what_is_in_flight(
    wanted: list[tuple[int, int, bool]], limit: int
) -> None:
    run, _, branch = chain(limit, None, None, "soft")
    flying: list[tuple[object, int]] = []
    in_flight = 0  # what was when the last call was let through: nothing has been added since
    for bound, used, early in wanted:
        before = run.spent.tokens
        try:
            flying.append((branch.reserve(Usage(completion_tokens=bound), "policy"), min(used, bound)))
        except BudgetRefused:
            pass
        else:
            assert before <= limit or not bound
            in_flight = sum(spent for _, spent in flying) if bound else in_flight
        assert run.spent.tokens <= limit + in_flight
        if early and flying:
            reservation, spent = flying.pop(0)
            reservation.settle(Usage(completion_tokens=spent))  # type: ignore[attr-defined]
