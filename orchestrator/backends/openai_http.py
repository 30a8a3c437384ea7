"""One server over HTTP: a pool of connections, what is read from it, and what can go wrong on the way.

Why another client: a search makes thousands of small calls, so a call may cost little, the number in flight
is limited by us alone, and cancelling a call must reach the server. One pool of connections per server,
without a limit of its own (aiohttp's default is a silent 100); no call of ours occupies the event loop's
default executor, in which aiohttp resolves host names.

Whatever goes wrong becomes a BackendError that says whether trying again may help (openai_errors.py).
"""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from branchwise.orchestrator.backends.openai_answer import Answer, Events
from branchwise.orchestrator.backends.openai_errors import excerpt, refusal
from branchwise.orchestrator.backends.openai_options import ServerOptions, joined, shown
from branchwise.orchestrator.backends.openai_request import prompt_bound
from branchwise.orchestrator.backends.openai_way import way
from branchwise.orchestrator.core.errors import BackendError, ConnectionLost, Suspended, Unreachable
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.core.usage import Usage

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

KEEP_ALIVE_SECONDS = 4.0  # below uvicorn's 5: a connection that the server is just closing loses the request
LARGE_BODY_BYTES = 2**20
ERROR_BODY_BYTES = 2**16
PARSED_BYTES = 2**16
RESENDS = 2
_SENT: Final = Usage(calls=1, exact=False)
_REFUSED: Final = Usage(calls=1)

Read = Callable[["aiohttp.ClientResponse"], Awaitable[None]]


class Connection:
    """The way to the server at ``url``. Used within one event loop; nothing is opened before the first call."""

    def __init__(self, url: str, options: ServerOptions) -> None:
        self.where = shown(url)
        self._url, self._options = url, options
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def ask(self, path: str, body: bytes, read: Read, headers: Mapping[str, str] | None = None) -> None:
        """Post a body and let ``read`` have the answer; raises BackendError."""
        import aiohttp

        session = self._session or self._open()
        try:
            async with await _post(session, self._address(path), body, headers) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                await read(response)
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error

    async def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """Post a body; the whole answer. Raises BackendError."""
        answer = b""

        async def read(response: aiohttp.ClientResponse) -> None:
            nonlocal answer
            answer = await response.read()

        await self.ask(path, body, read, headers)
        return answer

    async def get(self, path: str, timeout_seconds: float) -> bytes:
        """What lies at a path; raises BackendError."""
        import aiohttp

        session = self._session or self._open()
        limit = aiohttp.ClientTimeout(total=timeout_seconds)
        way.set("kept")
        try:
            async with session.get(self._address(path), allow_redirects=False, timeout=limit) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                return await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error

    def _address(self, path: str) -> URL:
        if path not in self._urls:
            from yarl import URL

            self._urls[path] = URL(joined(self._url, path))
        return self._urls[path]

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        from branchwise.orchestrator.backends.openai_connector import Connector

        if self._closed:
            raise Suspended(f"the backend at {self.where!r} was closed")
        headers = {"Content-Type": "application/json"}
        if self._options.api_key is not None:
            headers["Authorization"] = f"Bearer {self._options.api_key.get_secret_value()}"
        self._session = aiohttp.ClientSession(
            connector=Connector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
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
        text = self.scrub(body.decode("utf-8", "replace"))
        way.set("refused")
        return refusal(shown(str(response.url)), response.status, text, response.headers, time.time())

    def _broken(self, error: Exception) -> BackendError:
        import aiohttp

        lasting = aiohttp.ClientConnectorCertificateError | aiohttp.InvalidURL
        reason = self.scrub(str(error)) or f"no answer in {self._options.timeout_seconds:g} s"
        message = f"{self.where}: {type(error).__name__}: {excerpt(reason)}"
        if isinstance(error, lasting):
            return BackendError(message)
        if way.get() == "opening":
            return Unreachable(message, retryable=True)
        return (BackendError if isinstance(error, TimeoutError) else ConnectionLost)(message, retryable=True)

    def scrub(self, text: str) -> str:
        """A text without the key that is sent to this server."""
        if self._options.api_key is None:
            return text
        key = self._options.api_key.get_secret_value()
        return text.replace(key, "***").replace(json.dumps(key)[1:-1], "***")

    async def aclose(self) -> None:
        """Close the connections; calls in flight fail."""
        self._closed = True
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


async def exchange(
    connection: Connection,
    path: str,
    body: bytes,
    request: Request,
    answer: Answer,
    progress: Progress,
    headers: Mapping[str, str] | None = None,
) -> tuple[Draw, ...]:
    """Post ``request``'s body and collect its draws in ``answer``, streamed or whole.

    ``progress.usage`` begins at what it held when the call began, so it adds up over tries. One call is counted
    when it is sent, of which nothing more is known until an answer begins; the prompt (estimated from above) and the
    tokens that came when a stream is over or breaks off; the server's own count replaces the estimates.
    """

    async def read(response: aiohttp.ClientResponse) -> None:
        if response.content_type == "text/event-stream":
            await _follow(response, answer, progress, before, prompt_bound(request)[0])
        else:
            answer.take([await response.read()])

    with sending(progress) as before:
        await connection.ask(path, body, read, headers)
    draws = answer.draws()
    progress.usage = before + (answer.usage or _total(draws))
    return draws


@contextmanager
def sending(progress: Progress) -> Iterator[Usage]:
    """Count a call from now on, but for one that no server has begun; what was used before it.

    One that a server refuses used no tokens; how many any other used that does not end well is not known.
    """
    before = progress.usage
    progress.usage = before + _SENT
    try:
        yield before
    except (BackendError, asyncio.CancelledError) as error:
        if isinstance(error, Unreachable) or (isinstance(error, asyncio.CancelledError) and way.get() == "opening"):
            progress.usage = before
        elif way.get() == "refused":
            progress.usage = before + _REFUSED
        raise


async def _post(
    session: aiohttp.ClientSession, url: URL, body: bytes, headers: Mapping[str, str] | None
) -> aiohttp.ClientResponse:
    """Send; and again at once if a kept connection is lost before the first byte of an answer.

    It may be closed by the server just as it is used again (llama.cpp does so after each stream): such a request was
    never read, and is neither a failure nor another call. What is lost by a new connection was read, and the server
    may have died of it. So it may where the server is gone after a kept connection was lost: that, too, is a
    connection lost, not a server that can't be reached.
    """
    import aiohttp

    way.set("kept")
    left = RESENDS
    while True:
        data = body if len(body) < LARGE_BODY_BYTES else io.BytesIO(body)
        try:
            return await session.post(url, data=data, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if way.get() == "opened" or not left:
                raise
            way.set("again")
            left -= 1


async def _follow(
    response: aiohttp.ClientResponse, answer: Answer, progress: Progress, before: Usage, prompt_tokens: int
) -> None:
    """Read a stream to its end: only then can its connection be used again.

    It is parsed in large pieces, most at once when they are over or broken off: nobody asks for it meanwhile, and
    small pieces cost as much again.
    """
    events, received = Events(), bytearray()
    try:
        async for chunk in response.content.iter_any():
            received += chunk
            if len(received) > PARSED_BYTES:
                piece, received = bytes(received), bytearray()
                answer.take(events.feed(piece))
    except BaseException:
        with suppress(BackendError):  # it may have broken off anywhere
            answer.take(events.feed(bytes(received)))
        raise
    else:
        answer.take(events.feed(bytes(received)) + events.close())
    finally:
        seen = answer.usage or Usage(prompt_tokens, answer.pieces, calls=1, exact=False)
        progress.usage = before + seen


def _total(draws: tuple[Draw, ...]) -> Usage:
    total = draws[0].usage
    for draw in draws[1:]:
        total += draw.usage
    return total
