"""A LoRA adapter on a running server: loaded before the first call, unloaded at the end if we loaded it.

The server must have been started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True. An adapter that is
there already is used as it is, and left there.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress

from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.vllm_options import Adapter
from branchwise.orchestrator.core.errors import BackendError

UNLOAD_SECONDS = 5.0
NEEDED = "adapters are loaded by a server with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True only"
_THERE_ALREADY = "already been loaded"
_NO_LOADING = "load_lora_adapter: HTTP 404"
_NOT_THERE = re.compile(r"HTTP 404: .*does not exist")


class Loading:
    """One adapter on one server."""

    def __init__(self, adapter: Adapter, connection: Connection) -> None:
        self._adapter, self._connection = adapter, connection
        self._lock = asyncio.Lock()
        self._ready = adapter.path is None
        self._ours = False

    async def ready(self) -> None:
        """Return once the adapter is there; BackendError where the server refuses to load it."""
        if self._ready:
            return
        async with self._lock:
            if not self._ready:
                await self._load()
                self._ready = True

    def forget(self) -> None:
        """The server was lost: its next incarnation has to be given the adapter again."""
        self._ready = self._adapter.path is None

    def missed(self, error: BackendError) -> bool:
        """Whether a call was refused since an adapter that was loaded is not there; it is loaded again then."""
        gone = self._adapter.path is not None and bool(_NOT_THERE.search(str(error)))
        if gone:
            self.forget()
        return gone

    async def _load(self) -> None:
        try:
            await self._post("load", {"lora_name": self._adapter.name, "lora_path": self._adapter.path})
            self._ours = True
        except BackendError as error:
            if _NO_LOADING in str(error):
                raise BackendError(f"{error}: {NEEDED}") from error
            if _THERE_ALREADY not in str(error):
                raise

    async def unload(self) -> None:
        """Take the adapter away again, if it was loaded here and the server still lives."""
        if self._ours:
            self._ours = False
            with suppress(BackendError, TimeoutError):
                async with asyncio.timeout(UNLOAD_SECONDS):
                    await self._post("unload", {"lora_name": self._adapter.name})

    async def _post(self, verb: str, fields: dict[str, str | None]) -> None:
        await self._connection.post(f"v1/{verb}_lora_adapter", json.dumps(fields).encode())
