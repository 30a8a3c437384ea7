"""Any server that speaks the OpenAI protocol, over HTTP: OpenAI, vLLM, SGLang, llama.cpp, gateways.

Why another client: a search makes thousands of small calls, so a call may cost little, the number in flight
is limited by us alone, and cancelling a call must reach the server. One pool of connections per backend,
without a limit of its own (aiohttp's default is a silent 100); no call of ours occupies the event loop's
default executor, in which aiohttp resolves host names.

1. The request becomes a body (openai_request.py) and is posted.
2. The answer is read as it comes (openai_answer.py); ``progress.usage`` grows with it.
3. Whatever goes wrong becomes a BackendError that says whether trying again may help (openai_errors.py).

Reading ``progress.usage``: it begins at what it held when the call began, so it adds up over tries. One call
is counted when it is sent; the prompt (estimated from above) when the first piece arrives; the server's own
count replaces the estimates. Cancelling the awaiting task closes the connection, upon which servers stop.
"""

from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from branchwise.orchestrator.backends.openai_answer import Answer, Events
from branchwise.orchestrator.backends.openai_errors import excerpt, refusal
from branchwise.orchestrator.backends.openai_options import Options, joined, shown
from branchwise.orchestrator.backends.openai_request import (
    Dialect,
    Endpoint,
    body_of,
    endpoint_of,
    prompt_bound,
)
from branchwise.orchestrator.core.errors import BackendError, Suspended
from branchwise.orchestrator.core.request import Capabilities, Draw, Progress, Request
from branchwise.orchestrator.core.usage import Usage

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

__all__ = ["CAPABILITIES", "OpenAI", "Options", "build"]

CAPABILITIES = Capabilities()
"""What may be taken for granted of an unknown server; the rest is declared by ``capabilities``."""

KEEP_ALIVE_SECONDS = 4.0  # below uvicorn's 5: a connection that the server is just closing loses the request
LARGE_BODY_BYTES = 2**20
ERROR_BODY_BYTES = 2**16
RESENDS = 2
ENDPOINTS: tuple[Endpoint, ...] = ("chat/completions", "completions")
_ONE_CALL = Usage(calls=1)


def capabilities(options: Options) -> Capabilities:
    """What the server at hand can do: the defaults, and what its options declare."""
    return replace(CAPABILITIES, **options.capabilities)


def build(options: Options) -> OpenAI:
    """A backend for this server; nothing is opened before the first call."""
    return OpenAI(options)


class OpenAI:
    """A model behind an OpenAI-compatible server. Used within one event loop; close it when done.

    ``defaults`` are the capabilities of this kind of server, before ``options.capabilities``.
    """

    def __init__(self, options: Options, defaults: Capabilities = CAPABILITIES) -> None:
        self.identity = options.identity
        self.capabilities = replace(defaults, **options.capabilities)
        self._options = options
        self._dialect = Dialect(
            options.model,
            self.capabilities,
            options.streaming,
            options.keeps_stop,
            options.max_tokens_field,
            options.extra,
        )
        self._where = shown(options.url)
        self._urls: dict[Endpoint, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"OpenAI(model={self._options.model!r}, url={self._where!r})"

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Prompt tokens from above: UTF-8 bytes and an allowance for the chat template; ids are exact."""
        return prompt_bound(request)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """Ask the server for ``request.n`` draws; raises BackendError."""
        import aiohttp

        body = body_of(request, self._dialect)
        session = self._session or self._open()
        url = self._urls[endpoint_of(request)]
        progress = progress or Progress()
        before = progress.usage
        progress.usage = before + _ONE_CALL
        try:
            async with await _post(session, url, body) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                answer = Answer(request, self._where, self._options.keeps_stop, self._scrub)
                if response.content_type == "text/event-stream":
                    await _follow(response, answer, progress, before, prompt_bound(request)[0])
                else:
                    answer.take([await response.read()])
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error
        draws = answer.draws()
        progress.usage = before + (answer.usage or _total(draws))
        return draws

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp
        from yarl import URL

        if self._closed:
            raise Suspended(f"{self!r} was closed")
        headers = {"Content-Type": "application/json"}
        if self._options.api_key is not None:
            headers["Authorization"] = f"Bearer {self._options.api_key.get_secret_value()}"
        self._urls = {path: URL(joined(self._options.url, path)) for path in ENDPOINTS}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=self._options.timeout_seconds,
                sock_connect=self._options.connect_timeout_seconds,
                sock_read=self._options.first_byte_timeout_seconds,
            ),
            headers=headers,
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session

    async def _refusal(self, response: aiohttp.ClientResponse) -> BackendError:
        body = b""
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > ERROR_BODY_BYTES:
                break
        text = self._scrub(body.decode("utf-8", "replace"))
        return refusal(shown(str(response.url)), response.status, text, response.headers, time.time())

    def _broken(self, error: Exception) -> BackendError:
        import aiohttp

        lasting = aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL
        reason = self._scrub(str(error)) or f"no answer in {self._options.timeout_seconds:g} s"
        return BackendError(
            f"{self._where}: {type(error).__name__}: {excerpt(reason)}",
            retryable=not isinstance(error, lasting),
        )

    def _scrub(self, text: str) -> str:
        key = self._options.api_key
        return text.replace(key.get_secret_value(), "***") if key else text

    async def aclose(self) -> None:
        """Close the connections; calls in flight fail."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


async def _post(session: aiohttp.ClientSession, url: URL, body: bytes) -> aiohttp.ClientResponse:
    """Send; and again at once if a connection is lost before the first byte of an answer.

    A kept connection may be closed by the server just as it is used again (llama.cpp does so after each
    stream): such a request was never read, and is neither a failure nor another call.
    """
    import aiohttp

    for attempt in range(RESENDS + 1):
        data = body if len(body) < LARGE_BODY_BYTES else io.BytesIO(body)
        try:
            return await session.post(url, data=data, allow_redirects=False)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if attempt == RESENDS:
                raise
    raise AssertionError("unreachable")


async def _follow(
    response: aiohttp.ClientResponse, answer: Answer, progress: Progress, before: Usage, prompt_tokens: int
) -> None:
    """Read a stream to its end: only then can its connection be used again."""
    events = Events()
    async for chunk in response.content.iter_any():
        answer.take(events.feed(chunk))
        seen = answer.usage or Usage(prompt_tokens, answer.pieces, calls=1, exact=False)
        progress.usage = before + seen
    answer.take(events.close())


def _total(draws: tuple[Draw, ...]) -> Usage:
    total = draws[0].usage
    for draw in draws[1:]:
        total += draw.usage
    return total
