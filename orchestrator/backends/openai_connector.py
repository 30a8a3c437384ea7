"""Connector: aiohttp's pool of connections, which also tells by which way a call goes.

aiohttp does not say whether a request went by a connection that was kept or by one that was opened for it, and what
has been lost means something else in each case. Opening is rare, so that noting it costs ordinary calls nothing.
aiohttp is imported here: this file is imported when the first connection is opened.
"""

from __future__ import annotations

import aiohttp
from aiohttp.client_proto import ResponseHandler

from branchwise.orchestrator.backends.openai_way import way


class Connector(aiohttp.TCPConnector):
    """TCP connections; ``way`` says of the task's call that it opens one, and that it has."""

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[aiohttp.tracing.Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        if way.get() == "kept":
            way.set("opening")
        made = await super()._create_connection(req, traces, timeout)
        way.set("opened")
        return made
