"""Reserves the worst case of a call before it is sent, and settles what it used: every try, good or bad.

The innermost wrapper, so that what it charges is what was sent: retries are charged one by one, and a call
that waits in a queue has booked nothing.

1. Reserve the counted prompt, n * max_tokens and one call at the scope's account; a refusal sends nothing.
2. Send.
3. Settle: the draws' usage; after a failure what ``progress`` saw, and one call at least; after a
   cancellation what ``progress`` saw, which is nothing if it was never sent.
"""

from __future__ import annotations

from dataclasses import replace

from branchwise.orchestrator.backends.wrapping import Wrapping
from branchwise.orchestrator.core.errors import BackendError, Unreachable
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.scope import current_scope
from branchwise.orchestrator.core.usage import NOTHING, Usage


class Metered(Wrapping):
    """A backend whose calls are charged to ``current_scope().account`` and priced."""

    def __init__(self, backend: Backend, price: Price) -> None:
        super().__init__(backend)
        self._price = price
        self._free = price.free

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """As the inner backend; raises BudgetRefused before anything is sent."""
        scope = current_scope()
        booking = scope.account.reserve(self.bound(request), scope.role) if scope.account else None
        progress = progress or Progress()
        before = progress.usage
        used = NOTHING
        try:
            draws = self._priced(await self._backend.generate(request, progress))
            used = _total(draws)
            return draws
        except BaseException as error:
            sent = isinstance(error, BackendError) and not isinstance(error, Unreachable)
            used = self._used(before, progress.usage, at_least=int(sent))
            raise
        finally:
            progress.usage = before if used is NOTHING else before + used
            if booking is not None:
                booking.settle(used)

    def bound(self, request: Request) -> Usage:
        """The most that one try of ``request`` can use; cached prompt tokens are not counted on."""
        prompt_tokens, exact = self._backend.count_prompt(request)
        most = Usage(prompt_tokens, request.n * request.max_tokens, calls=1, exact=exact)
        return most if self._free else self._price.bound(most)

    def _priced(self, draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
        if self._free:
            return draws
        return tuple(replace(draw, usage=self._price.of(draw.usage)) for draw in draws)

    def _used(self, before: Usage, after: Usage, at_least: int) -> Usage:
        """What a call that did not end well has used, from the progress before and after it."""
        if after is before and not at_least:
            return NOTHING
        used = Usage(
            after.prompt_tokens - before.prompt_tokens,
            after.completion_tokens - before.completion_tokens,
            after.cached_tokens - before.cached_tokens,
            after.reasoning_tokens - before.reasoning_tokens,
            max(after.calls - before.calls, at_least),
            exact=after.exact,
        )
        return used if self._free else self._price.of(used)


def _total(draws: tuple[Draw, ...]) -> Usage:
    total = draws[0].usage
    for draw in draws[1:]:
        total += draw.usage
    return total
