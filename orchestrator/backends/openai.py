"""Any server that speaks the OpenAI protocol, over HTTP: OpenAI, vLLM, SGLang, llama.cpp, gateways.

1. The request becomes a body (openai_request.py) and is posted (openai_http.py).
2. The answer is read (openai_answer.py); what it used is in ``progress.usage``, also where it broke off.
3. Whatever goes wrong becomes a BackendError that says whether trying again may help (openai_errors.py).

Cancelling the awaiting task closes the connection, upon which servers stop.
"""

from __future__ import annotations

from dataclasses import replace

from branchwise.orchestrator.backends.openai_answer import Answer
from branchwise.orchestrator.backends.openai_http import Connection, exchange
from branchwise.orchestrator.backends.openai_options import Options
from branchwise.orchestrator.backends.openai_request import Dialect, body_of, endpoint_of, prompt_bound
from branchwise.orchestrator.core.request import Capabilities, Draw, Progress, Request

__all__ = ["CAPABILITIES", "OpenAI", "Options", "build"]

CAPABILITIES = Capabilities()
"""What may be taken for granted of an unknown server; the rest is declared by ``capabilities``."""


def capabilities(options: Options) -> Capabilities:
    """What the server at hand can do: the defaults, and what its options declare."""
    return replace(CAPABILITIES, **options.capabilities)


def build(options: Options) -> OpenAI:
    """A backend for this server; nothing is opened before the first call."""
    return OpenAI(options)


class OpenAI:
    """A model behind an OpenAI-compatible server. Used within one event loop; close it when done."""

    def __init__(self, options: Options) -> None:
        self.identity = options.identity
        self.capabilities = capabilities(options)
        self._options = options
        self._dialect = Dialect(
            options.model,
            self.capabilities,
            options.streaming,
            options.keeps_stop,
            options.max_tokens_field,
            options.extra,
        )
        self._connection = Connection(options.url, options)

    def __repr__(self) -> str:
        return f"OpenAI(model={self._options.model!r}, url={self._connection.where!r})"

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Prompt tokens from above: UTF-8 bytes and an allowance for the chat template; ids are exact."""
        return prompt_bound(request)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """Ask the server for ``request.n`` draws; raises BackendError."""
        body, connection = body_of(request, self._dialect), self._connection
        answer = Answer(request, connection.where, self._options.keeps_stop, connection.scrub)
        return await exchange(connection, endpoint_of(request), body, request, answer, progress or Progress())

    async def aclose(self) -> None:
        """Close the connections; calls in flight fail."""
        await self._connection.aclose()
