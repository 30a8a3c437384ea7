"""A model on one or several vLLM servers, with what vLLM offers beyond the OpenAI protocol.

1. A request for text becomes a body (vllm_request.py), is posted, and its answer read (vllm_answer.py) by what the
   kind ``openai`` is made of, too.
2. A request for numbers goes to the server's pooling endpoints (vllm_pooling.py), one for labels to its endpoint for
   the chances of next tokens (vllm_labels.py).
3. Of several servers the problem's own gets the call (vllm_replicas.py); one that is lost is passed over until it is
   healthy again (vllm_health.py), so that it costs retries and no problem.
4. Steps come with their token ids where these are exactly the text (vllm_boundary.py): what follows goes on from
   them, so that the server's prefix cache hits and no boundary is tokenised anew.

Written for vLLM 0.30 to 0.33 and tried on 0.32.0. Cancelling the awaiting task closes the connection, upon which the
server aborts the request.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from branchwise.orchestrator.backends.openai_http import Connection, exchange, sending
from branchwise.orchestrator.backends.openai_request import endpoint_of, prompt_bound
from branchwise.orchestrator.backends.vllm_adapter import Loading
from branchwise.orchestrator.backends.vllm_answer import TokenAnswer
from branchwise.orchestrator.backends.vllm_boundary import Boundaries
from branchwise.orchestrator.backends.vllm_health import Watch
from branchwise.orchestrator.backends.vllm_labels import PATH, Labels, labelled
from branchwise.orchestrator.backends.vllm_options import GENERATES, POOLS, Options, capabilities_of
from branchwise.orchestrator.backends.vllm_pooling import pooled, pooling_fields, pooling_path
from branchwise.orchestrator.backends.vllm_replicas import Replica, Replicas
from branchwise.orchestrator.backends.vllm_request import Wording, sent
from branchwise.orchestrator.backends.vllm_trace import traceparent
from branchwise.orchestrator.core.errors import BackendError, ConnectionLost, Unreachable
from branchwise.orchestrator.core.request import Draw, Progress, Request, refuse_unknown
from branchwise.orchestrator.core.scope import current_scope
from branchwise.orchestrator.core.usage import Usage

__all__ = ["CAPABILITIES", "Options", "VLLMServer", "build"]

CAPABILITIES = GENERATES
VARIANTS = {"runner: pooling": POOLS}
"""Of a server that writes; one that pools has others."""

capabilities = capabilities_of


def build(options: Options) -> VLLMServer:
    """A backend for these servers; nothing is opened before the first call."""
    return VLLMServer(options)


class VLLMServer:
    """A model behind one or several vLLM servers. Used within one event loop; close it when done."""

    def __init__(self, options: Options) -> None:
        self.identity = options.identity
        self.capabilities = capabilities_of(options)
        self._options = options
        self._wording = Wording(options)
        self._replicas = Replicas([_replica(url, options) for url in options.addresses], options.load_cap)
        self._watch = Watch(self._replicas.all, options.health_seconds)
        self._boundaries = Boundaries(self._wording.model)
        self._labels = Labels(self._wording.model)
        self._spans = random.Random()

    def __repr__(self) -> str:
        return f"VLLMServer(model={self._options.model!r}, urls={[r.address for r in self._replicas.all]})"

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Prompt tokens from above: UTF-8 bytes and an allowance for the chat template; ids are exact."""
        return prompt_bound(request)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """Ask the problem's server for ``request.n`` draws; raises BackendError."""
        if request.pooling is None and not self.capabilities.writes:
            raise BackendError("this model was declared with runner: pooling; it scores and does not write")
        refuse_unknown(request, self.capabilities)
        self._watch.start()
        while True:
            replica = self._replicas.choose(current_scope().problem_id)
            replica.in_flight += 1
            try:
                return await self._ask(replica, request, progress or Progress())
            except ConnectionLost as error:
                replica.lose()
                if not isinstance(error, Unreachable) or self._replicas.all_out:
                    raise  # else nothing was sent, and another one may be reached
            except BackendError as error:
                if replica.adapter is None or not replica.adapter.missed(error):
                    raise
                raise BackendError(str(error), retryable=True) from error
            finally:
                replica.in_flight -= 1

    async def _ask(self, replica: Replica, request: Request, progress: Progress) -> tuple[Draw, ...]:
        if replica.adapter is not None:
            await replica.adapter.ready()
        ask = self._pool if request.pooling else self._label if request.labels else self._write
        draws = await ask(request, replica.connection, progress)
        replica.out = False
        return draws

    async def _write(self, request: Request, connection: Connection, progress: Progress) -> tuple[Draw, ...]:
        asked, body = sent(request), self._wording.body(request)
        answer = TokenAnswer(asked, connection.where, connection.scrub)
        path = f"v1/{endpoint_of(asked)}"
        draws = await exchange(connection, path, body, asked, answer, progress, self._headers())
        if self._wording.wants_ids(asked):
            draws = tuple([await self._boundaries.checked(draw, connection) for draw in draws])
        if copies := request.n - asked.n:
            draws += (replace(draws[0], usage=Usage(exact=draws[0].usage.exact)),) * copies
        return draws

    async def _pool(self, request: Request, connection: Connection, progress: Progress) -> tuple[Draw, ...]:
        path = pooling_path(request, self._options.outcome_endpoint)
        body = self._wording.encoded(pooling_fields(request, self._wording.model, path), request)
        return await self._told(path, body, partial(pooled, request, where=connection.where), connection, progress)

    async def _label(self, request: Request, connection: Connection, progress: Progress) -> tuple[Draw, ...]:
        body = self._wording.encoded(await self._labels.fields(request, connection), request)
        return await self._told(PATH, body, partial(labelled, request, where=connection.where), connection, progress)

    async def _told(
        self,
        path: str,
        body: bytes,
        answer: Callable[[bytes], Draw],
        connection: Connection,
        progress: Progress,
    ) -> tuple[Draw, ...]:
        with sending(progress) as before:
            told = await connection.post(path, body, self._headers())
        try:
            draw = answer(told)
        except BackendError as error:
            raise BackendError(connection.scrub(str(error)), retryable=error.retryable) from None
        progress.usage = before + draw.usage
        return (draw,)

    def _headers(self) -> dict[str, str] | None:
        return {"traceparent": traceparent(current_scope(), self._spans)} if self._options.traceparent else None

    async def aclose(self) -> None:
        """Take away the adapters that were loaded here and close the connections; calls in flight fail."""
        async with AsyncExitStack() as closing:  # all of it, whatever one part raises
            for replica in self._replicas.all:
                closing.push_async_callback(replica.connection.aclose)
                if replica.adapter is not None and not replica.out:
                    closing.push_async_callback(replica.adapter.unload)
            closing.push_async_callback(self._watch.aclose)


def _replica(url: str, options: Options) -> Replica:
    connection = Connection(url, options)
    return Replica(connection, Loading(options.adapter, connection) if options.adapter else None)
