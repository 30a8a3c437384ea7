"""Listening: who is there is asked as a run would ask: of this address alone, past no proxy."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from branchwise.orchestrator.backends.listening import Listener, listener, told

MODELS = b'{"data": [{"id": "m"}]}'
KEY = "sk-very-secret"


class Host:
    """A server that lists its models, or sends everybody elsewhere; it notes which keys it was told."""

    def __init__(self, elsewhere: str = "") -> None:
        self.elsewhere = elsewhere
        self.keys = list[str | None]()
        self.address = ""


@contextmanager
def running(host: Host) -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.keys.append(self.headers.get("Authorization"))
            self.send_response(302 if host.elsewhere else 200)
            if host.elsewhere:
                self.send_header("Location", host.elsewhere + self.path)
            self.end_headers()
            self.wfile.write(b"" if host.elsewhere else MODELS)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield host
        server.shutdown()
        thread.join()


def test_a_key_goes_nowhere_else() -> None:
    with ExitStack() as stack:
        other = stack.enter_context(running(Host()))
        asked = stack.enter_context(running(Host(other.address)))
        heard = listener(f"{asked.address}/v1", KEY)
        assert told(asked.address) == Listener()
    assert heard == Listener(wrong=f"HTTP 302 at {asked.address}/v1/models")
    assert (asked.keys, other.keys) == ([f"Bearer {KEY}", None, None], [])


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        proxy, asked = (stack.enter_context(running(Host())) for _ in range(2))
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setattr(urllib.request, "_opener", None)  # urlopen keeps the proxies that it met first
        heard = listener(f"{asked.address}/v1", KEY)
        told(asked.address)
    assert (heard.models, heard.wrong) == (("m",), "")
    assert (len(asked.keys), proxy.keys) == (5, [])
