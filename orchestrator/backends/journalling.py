"""Journalled: the outermost wrapper. A draw that is on record is never made again.

1. Every sample of a request is looked up by its own key; ``n`` is transport only.
2. A sample that is in flight for another caller is waited for: it is paid for once.
3. The others are sent, as one request where they are neighbours and the backend gives the k-th seed + k.
4. Their terminal state goes on record: ok, failed, or cancelled with what streaming proved to be used.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from branchwise.orchestrator.backends.wrapping import Wrapping
from branchwise.orchestrator.core.draws import DrawStore, StoredDraw, draw_key, prompt_text
from branchwise.orchestrator.core.errors import BackendError, ContextOverflow, NotOnRecord
from branchwise.orchestrator.core.request import Draw, Identity, Progress, Request, refuse_unknown
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.scope import Scope, current_scope
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
        draws: list[Draw | None] = [await self._known(key) for key in keys]
        in_one = capabilities.n and capabilities.seeds_increment and request.seed is not None
        runs = _runs(draws, in_one)
        if runs:
            await together([self._send(request, run, keys, draws) for run in runs])
        return tuple(draw for draw in draws if draw is not None)

    async def _known(self, key: bytes) -> Draw | None:
        while (waiting := self._in_flight.get(key)) is not None:
            await asyncio.shield(waiting)
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
        part = request
        if len(run) < request.n:
            seed = None if request.seed is None else (request.seed + run.start) % 2**31
            part = replace(request, n=len(run), seed=seed)
        landed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for k in run:
            self._in_flight[keys[k]] = landed
        started, spent = time.monotonic(), Progress()
        record = _Recorder(self._store, self.identity.model, prompt_text(request), current_scope())
        try:
            made = tuple(map(_writable, await self._backend.generate(part, spent)))
            seconds = time.monotonic() - started
            extra = _beyond(spent.usage, made)
            for k, draw in zip(run, made, strict=True):
                draws[k] = draw
                _tally(draw.usage)
                record(keys[k], "ok", draw.usage + extra if k == run.start else draw.usage, seconds, draw)
        except BackendError as error:
            overflow = isinstance(error, ContextOverflow)
            for k in run:
                paid = spent.usage if k == run.start else NOTHING
                record(keys[k], "failed", paid, time.monotonic() - started, None, str(error), overflow)
            raise
        except asyncio.CancelledError:
            _tally(spent.usage)
            for k in run:
                paid = spent.usage if k == run.start else NOTHING
                record(keys[k], "cancelled", paid, time.monotonic() - started)
            raise
        finally:
            for k in run:
                self._in_flight.pop(keys[k], None)
            landed.set_result(None)


def _writable(draw: Draw) -> Draw:
    """The draw without lone surrogates, which no file can hold: live and replayed texts must be the same."""
    if draw.text.isascii():
        return draw
    return replace(draw, text=draw.text.encode("utf-8", "replace").decode("utf-8"))


class _Recorder:
    """Puts draws on record on behalf of one scope."""

    def __init__(self, store: DrawStore, model: str, prompt: str, scope: Scope) -> None:
        self._store, self._model, self._prompt, self._scope = store, model, prompt, scope

    def __call__(
        self,
        key: bytes,
        state: str,
        paid: Usage,
        seconds: float,
        draw: Draw | None = None,
        error: str | None = None,
        overflow: bool = False,
    ) -> None:
        scope = self._scope
        self._store.record(
            StoredDraw(
                key, state, scope.role, scope.problem_id, scope.node, self._model,  # type: ignore[arg-type]
                paid, seconds, draw, error, overflow, self._prompt,
            )
        )  # fmt: skip


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
