"""What vLLM's servers tell a tracing system of requests that came with a trace: spans, over OTLP/HTTP.

A server is started with ``--otlp-traces-endpoint`` and an address that ends in its name. Of a span are read its trace
and its parent; protobuf's layout is fixed, so that a pattern finds them.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_SPAN = re.compile(rb"\x0a\x10(.{16})\x12\x08.{8}\x22\x08(.{8})\x2a\x0bllm_request", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """A request that a server has answered: in which trace, and by which call it was asked."""

    server: str
    trace: str
    parent: str


class Collector:
    """Takes spans, on the loopback, while it is entered."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collected = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                found = ((trace.hex(), parent.hex()) for trace, parent in _SPAN.findall(body))
                collected.extend(Span(self.path.strip("/"), *each) for each in found)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def arguments(self, name: str) -> tuple[str, ...]:
        """What the server of this name is to be started with."""
        return ("--otlp-traces-endpoint", f"http://127.0.0.1:{self._server.server_port}/{name}")
