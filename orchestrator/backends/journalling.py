"""Journalled: the outermost wrapper. A draw that is on record is never made again.

1. Every sample of a request has a key of its own; ``n`` is transport only.
2. While one of them is in flight for another caller, all wait: a sample is paid for once.
3. They are looked up, and what is missing is announced to be in flight, with nothing awaited in between.
4. It is sent, as one request where samples are neighbours and the backend gives the k-th seed + k.
5. Its terminal state goes on record: ok, failed, or cancelled with what streaming proved to be used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from branchwise.orchestrator.backends.wrapping import Wrapping
from branchwise.orchestrator.core.draws import DrawState, DrawStore, StoredDraw, draw_key, prompt_text
from branchwise.orchestrator.core.errors import BackendError, ContextOverflow, NotOnRecord
from branchwise.orchestrator.core.request import Draw, Identity, Progress, Request, refuse_unknown
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.scope import current_scope
from branchwise.orchestrator.core.together import together
from branchwise.orchestrator.core.usage import NOTHING, Usage


class Journalled(Wrapping):
    """A backend whose draws are recorded in ``store`` and read back from it, under ``identity`` or its own."""

    def __init__(self, backend: Backend, store: DrawStore, identity: Identity | None = None) -> None:
        super().__init__(backend)
        self._store, self._identity = store, identity or backend.identity
        self._in_flight: dict[bytes, asyncio.Future[None]] = {}

    @property
    def identity(self) -> Identity:
        """Who answers, as it is on record."""
        return self._identity

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """``request.n`` draws, from the record or made now. A recorded failure is raised again.

        BackendError, which goes on no record, where the backend does not know what is asked.
        """
        capabilities = self.capabilities
        refuse_unknown(request, capabilities)
        keys = [draw_key(self.identity, request, k) for k in range(request.n)]
        while landing := {self._in_flight[key] for key in keys if key in self._in_flight}:
            await asyncio.wait(landing)
        draws = [self._known(key) for key in keys]  # nothing is awaited from here until they are announced
        in_one = capabilities.n and capabilities.seeds_increment and request.seed is not None
        runs = _runs(draws, in_one)
        if runs:
            with self._announced([keys[k] for run in runs for k in run]):
                await together([self._send(request, run, keys, draws) for run in runs])
        return tuple(draw for draw in draws if draw is not None)

    @contextmanager
    def _announced(self, keys: list[bytes]) -> Iterator[None]:
        """Let others wait for these until all have come to their end: one may be cancelled before it is begun."""
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_flight |= dict.fromkeys(keys, landed)
        try:
            yield
        finally:
            for key in keys:
                del self._in_flight[key]
            landed.set_result(None)

    def _known(self, key: bytes) -> Draw | None:
        stored = self._store.find(key)
        if stored is None or stored.state == "cancelled":
            return None
        if stored.state == "failed":
            raise (ContextOverflow if stored.overflow else BackendError)(stored.error or "failed earlier")
        assert stored.draw is not None
        _tally(stored.draw.usage)
        return stored.draw

    async def _send(self, request: Request, run: range, keys: list[bytes], draws: list[Draw | None]) -> None:
        if self._store.replay_only:
            raise NotOnRecord(
                f"replay: a draw of {self.identity.model} for {current_scope().problem_id} is not on record; "
                "give the run that has it by --reuse, or leave --replay out"
            )
        model, prompt, scope = self.identity.model, prompt_text(request), current_scope()
        started, spent = time.monotonic(), Progress()

        def record(
            k: int, state: DrawState, paid: Usage, draw: Draw | None = None, error: BackendError | None = None
        ) -> None:
            seconds, overflow = time.monotonic() - started, isinstance(error, ContextOverflow)
            self._store.record(
                StoredDraw(
                    keys[k], state, scope.role, scope.problem_id, scope.node, model, paid, seconds, draw,
                    None if error is None else str(error), overflow, prompt,
                )
            )  # fmt: skip

        try:
            made = tuple(map(_writable, await self._backend.generate(_part(request, run), spent)))
            extra = _beyond(spent.usage, made)
            for k, draw in zip(run, made, strict=True):
                draws[k] = draw
                _tally(draw.usage)
                record(k, "ok", draw.usage + extra if k == run.start else draw.usage, draw)
        except BackendError as error:
            for k in run:
                record(k, "failed", spent.usage if k == run.start else NOTHING, error=error)
            raise
        except asyncio.CancelledError:
            _tally(spent.usage)
            for k in run:
                record(k, "cancelled", spent.usage if k == run.start else NOTHING)
            raise


def _part(request: Request, run: range) -> Request:
    """The samples ``run`` of a request, as a request."""
    if len(run) == request.n:
        return request
    seed = None if request.seed is None else (request.seed + run.start) % 2**31
    return replace(request, n=len(run), seed=seed)


def _writable(draw: Draw) -> Draw:
    """The draw without lone surrogates, which no file can hold: live and replayed texts must be the same."""
    if draw.text.isascii():
        return draw
    return replace(draw, text=draw.text.encode("utf-8", "replace").decode("utf-8"))


def _runs(draws: list[Draw | None], in_one: bool) -> list[range]:
    """The missing samples as ranges of neighbours, or one by one."""
    runs: list[range] = []
    for k, draw in enumerate(draws):
        if draw is not None:
            continue
        if in_one and runs and runs[-1].stop == k:
            runs[-1] = range(runs[-1].start, k + 1)
        else:
            runs.append(range(k, k + 1))
    return runs


def _beyond(spent: Usage, made: tuple[Draw, ...]) -> Usage:
    """What was spent beyond the draws themselves: failed attempts."""
    used = sum((draw.usage for draw in made), NOTHING)
    return Usage(
        max(0, spent.prompt_tokens - used.prompt_tokens),
        max(0, spent.completion_tokens - used.completion_tokens),
        calls=max(0, spent.calls - used.calls),
        money=max(0.0, spent.money - used.money),
        exact=spent.exact,
    )


def _tally(usage: Usage) -> None:
    scope = current_scope()
    if scope.tally is not None:
        scope.tally.add(scope.role, usage)
