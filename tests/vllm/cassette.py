"""Cassettes: what real vLLM servers answered, so that the same stories run without them.

1. A ``Deck`` is a server on the loopback. With ``upstream`` it asks the real server and keeps the answer; without, it
   answers from its cassette, and 404 to what was never recorded.
2. An answer is found by method, path and body. How a body's answer is to be streamed is no part of that.
3. A cassette is a gzipped JSON file, byte for byte the same for the same answers.

tests/vllm/record.py records them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

FOLDER = Path(__file__).with_name("cassettes")
STREAMED = ("stream", "stream_interval", "stream_options")
UNKNOWN = "this was never recorded: python -m tests.vllm.record records the stories anew"


@dataclass(frozen=True)
class Recorded:
    """One answer."""

    status: int
    type: str
    text: str


@dataclass
class Cassette:
    """The answers of one server, by their requests."""

    answers: dict[str, Recorded] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str) -> Self:
        """The cassette of this name."""
        stored = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
        return cls({key: Recorded(*answer) for key, answer in stored.items()})

    def save(self, name: str) -> None:
        """Write it, in the order of its keys."""
        stored = {key: [one.status, one.type, one.text] for key, one in sorted(self.answers.items())}
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(stored).encode(), mtime=0))


def key_of(method: str, path: str, body: bytes) -> str:
    """What a request is found by."""
    asked = {name: value for name, value in json.loads(body or b"{}").items() if name not in STREAMED}
    digest = hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=12).hexdigest()
    return f"{method} {path} {digest}"


def kept(path: str, text: str) -> str:
    """What is kept of an answer: where a server tells of itself only what is read, and not where its files are."""
    if path == "/openapi.json":
        return json.dumps({"paths": {name: {} for name in json.loads(text)["paths"]}})
    if path == "/v1/models":
        return json.dumps({"data": [{"id": each["id"]} for each in json.loads(text)["data"]]})
    return text


@dataclass
class Deck:
    """Plays a cassette, or records one. ``name`` is what the model is served as."""

    name: str
    cassette: Cassette
    upstream: str | None = None
    port: int = 0
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Base address for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        assert self._runner is not None
        await self._session.close()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        key = key_of(request.method, request.path, body)
        if self.upstream is not None and key not in self.cassette.answers:
            self.cassette.answers[key] = await self._asked(request, body)
        found = self.cassette.answers.get(key)
        if found is None:
            return web.json_response({"error": {"message": UNKNOWN, "code": 404}}, status=404)
        return web.Response(status=found.status, content_type=found.type, text=found.text)

    async def _asked(self, request: web.Request, body: bytes) -> Recorded:
        assert self._session is not None
        address, headers = f"{self.upstream}{request.path}", {"Content-Type": "application/json"}
        async with self._session.request(request.method, address, data=body, headers=headers) as answer:
            return Recorded(answer.status, answer.content_type, kept(request.path, await answer.text()))
