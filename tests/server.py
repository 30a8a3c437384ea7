"""An OpenAI-compatible server with a fixed latency and planned misbehaviour, for tests and benchmarks.

A real server on a real socket: ``python -m tests.server --port 0 --latency 0.5`` prints its port; in a test,
``async with Server(Behaviour(latency_seconds=0.01)) as server``. Answers depend on the prompt and the seed
only (sample k of n has seed + k), whatever the order of arrival.

GET /stats tells what was seen (calls, peak, duplicates, disconnects, ...), POST /reset forgets it, POST
/behave changes any field of ``Behaviour``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import math
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

import uvloop
from aiohttp import web

JUDGE_HINTS = ("score", "rate the", "on a scale", "evaluate the")
PIECE = re.compile(r"\s*\S+|\s+")
CUT = "cut"
"""The reason phrase of an answer that is cut off: it counts as a failed one."""


@dataclass
class Behaviour:
    """How the server behaves; shares are in [0, 1] and chosen by hash, so that they repeat."""

    latency_seconds: float = 0.0
    sigma: float = 0.0
    """Log-normal spread of the latency about its median; the same request always takes the same time."""
    token_delay_seconds: float = 0.0
    """Between two tokens of a stream, and added up for an answer that isn't streamed."""
    fail: float = 0.0
    """Share answered with HTTP 500."""
    fail_by: Literal["sequence", "attempt"] = "sequence"
    """By number of the request, or: that share of (prompt, seed) fails its first attempt only."""
    hang: float = 0.0
    """Share never answered."""
    malformed: float = 0.0
    """Share answered with half a JSON document, as a whole answer that says it is one."""
    not_a_number: float = 0.0
    """Share of requests whose log-probabilities are NaN, by what is asked."""
    mute: float = 0.0
    """Share of labels (answers of one token) that come back empty, by what is asked."""
    truncate: float = 0.0
    """Share whose stream ends in the middle."""
    limited: int = 0
    """So many requests, from now on, get HTTP 429."""
    retry_after: str = "1"
    status: int = 0
    """If set, every request gets this status and ``error``."""
    error: str = "refused"
    draws_anew: bool = False
    """Requests without a seed are answered differently each time: by their number."""
    length: int = 0
    """Tokens an answer has, 0: as it comes."""
    tells_stop: bool = False
    """As vLLM: stop_reason, include_stop_str_in_output."""
    sends_usage: bool = True
    answers_per_connection: int = 0
    """If set, a connection is dropped without a word when one more request comes over it."""
    pieces_together: bool = True
    """Without a token delay, a whole stream goes out in one write."""


@dataclass
class Seen:
    """What the server saw since the last reset."""

    calls: int = 0
    answered: int = 0
    failed: int = 0
    in_flight: int = 0
    peak: int = 0
    disconnects: int = 0
    tokens: int = 0
    tokens_after_disconnect: int = 0
    connections: set[Any] = field(default_factory=set)
    over: Counter[Any] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    arrivals: list[float] = field(default_factory=list)
    last_headers: dict[str, str] = field(default_factory=dict)
    last_body: dict[str, Any] = field(default_factory=dict)
    first: float | None = None
    last: float = 0.0
    area: float = 0.0

    def move(self, step: int) -> None:
        """One request more or less in flight."""
        now = time.perf_counter()
        if self.first is None:
            self.first = self.last = now
        self.area += self.in_flight * (now - self.last)
        self.last = now
        self.in_flight += step
        self.peak = max(self.peak, self.in_flight)

    def as_json(self) -> dict[str, Any]:
        """The counters; ``duplicates`` were answered more than once, ``repeats`` asked more than once."""
        span = self.last - self.first if self.first is not None else 0.0
        return {
            "calls": self.calls,
            "answered": self.answered,
            "failed": self.failed,
            "in_flight": self.in_flight,
            "peak": self.peak,
            "mean_in_flight": round(self.area / span, 3) if span else 0.0,
            "span_seconds": round(span, 4),
            "connections": len(self.connections),
            "disconnects": self.disconnects,
            "tokens": self.tokens,
            "tokens_after_disconnect": self.tokens_after_disconnect,
            "duplicates": sum(1 for times in self.paid.values() if times > 1),
            "duplicates_how_often": sorted((t for t in self.paid.values() if t > 1), reverse=True),
            "repeats": sum(1 for times in self.asked.values() if times > 1),
            "repeats_how_often": sorted((t for t in self.asked.values() if t > 1), reverse=True),
        }


@dataclass(frozen=True)
class Sample:
    """One choice: its tokens, why it ended, and the stop string that matched."""

    tokens: tuple[str, ...]
    finish: str
    stop: str | None = None


class Server:
    """The server; once started, ``url`` is its address. It may be stopped and started again."""

    def __init__(self, behaviour: Behaviour | None = None, port: int = 0) -> None:
        self.behaviour = behaviour or Behaviour()
        self.seen = Seen()
        self.port = port
        self.open = asyncio.Event()
        """Cleared, it holds every request back that has arrived."""
        self.open.set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Base address for clients, by the name localhost."""
        return f"http://localhost:{self.port}/v1"

    async def start(self) -> None:
        """Listen, on the port it had before if there was one."""
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/completions", self._answer)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        app.router.add_post("/reset", self._reset)
        app.router.add_post("/behave", self._behave)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=4096, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close all connections and the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(self.seen.as_json())

    async def _reset(self, _: web.Request) -> web.Response:
        in_flight = self.seen.in_flight
        self.seen = Seen(in_flight=in_flight, peak=in_flight)
        return web.json_response({})

    async def _behave(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            if name not in asdict(self.behaviour):
                return web.json_response({"error": f"no {name}"}, status=400)
            setattr(self.behaviour, name, value)
        return web.json_response(asdict(self.behaviour))

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        if self._is_spent(request):
            request.transport.abort()  # type: ignore[union-attr]
            return web.Response()
        seen, number = self.seen, self.seen.calls
        seen.calls += 1
        key = _key(request.path, body)
        attempt = seen.asked[key]
        seen.asked[key] += 1
        seen.connections.add(request.transport.get_extra_info("peername") if request.transport else None)
        seen.arrivals.append(time.perf_counter())
        seen.last_headers, seen.last_body = dict(request.headers), body
        seen.move(+1)
        try:
            response = await self._respond(request, body, key, number, attempt)
        except (asyncio.CancelledError, ConnectionResetError):
            seen.disconnects += 1
            raise
        finally:
            seen.move(-1)
        if response.status == 200 and response.reason != CUT:
            seen.answered += 1
            seen.paid[key] += 1
        else:
            seen.failed += 1
        return response

    def _is_spent(self, request: web.Request) -> bool:
        """Whether this connection has had as many answers as one may have."""
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self.seen.over[peer] += 1
        return 0 < self.behaviour.answers_per_connection < self.seen.over[peer]

    async def _respond(
        self, request: web.Request, body: dict[str, Any], key: str, number: int, attempt: int
    ) -> web.StreamResponse:
        await self.open.wait()
        plan = self.behaviour
        if plan.limited > 0:
            plan.limited -= 1
            return _refused(429, "rate limit", {"Retry-After": plan.retry_after})
        if _share(f"hang {number}") < plan.hang:
            await asyncio.Event().wait()
        stretch = math.exp(plan.sigma * _gauss(key)) if plan.sigma else 1.0
        await asyncio.sleep(plan.latency_seconds * stretch)
        if plan.status:
            return _refused(plan.status, plan.error, {})
        by_number = plan.fail_by == "sequence"
        if (by_number or attempt == 0) and _share(f"fail {number if by_number else key}") < plan.fail:
            return _refused(500, "injected", {})
        if _share(f"malformed {number}") < plan.malformed:
            return web.Response(reason=CUT, text='{"choices": [{"index": 0, "mess', content_type="application/json")
        if _share(f"not a number {key}") < plan.not_a_number:
            body["not_a_number"] = True
        if plan.draws_anew:
            body.setdefault("seed", number)
        samples = [self._sample(body, k) for k in range(int(body.get("n") or 1))]
        if body.get("max_tokens") == 1 and _share(f"mute {key}") < plan.mute:
            samples = [Sample((), "stop") for _ in samples]
        if body.get("stream"):
            return await self._stream(request, body, samples, cut=_share(f"truncate {number}") < plan.truncate)
        if plan.token_delay_seconds:
            await asyncio.sleep(plan.token_delay_seconds * max(len(s.tokens) for s in samples))
        self.seen.tokens += sum(len(s.tokens) for s in samples)
        whole = {"model": body.get("model"), "choices": [], "usage": self._usage(body, samples)}
        whole["choices"] = [self._choice(body, k, s, "".join(s.tokens)) for k, s in enumerate(samples)]
        return web.json_response(whole)

    async def _stream(
        self, request: web.Request, body: dict[str, Any], samples: list[Sample], cut: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(reason=CUT if cut else None, headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        waiting = bytearray(b": hello\n\n")
        longest = max(len(s.tokens) for s in samples)
        for position in range(longest + 1):
            for index, sample in enumerate(samples):
                if position < len(sample.tokens):
                    self._count(request)
                    waiting += _event(body, [self._piece(body, index, sample.tokens[position], sample, None)])
                elif position == len(sample.tokens):
                    waiting += _event(body, [self._piece(body, index, "", sample, sample.finish)])
            if cut and position >= longest // 2:
                await response.write(bytes(waiting[:-20]))
                if request.transport is not None:
                    request.transport.close()
                return response
            if self.behaviour.token_delay_seconds or not self.behaviour.pieces_together:
                await response.write(bytes(waiting))
                waiting.clear()
                await asyncio.sleep(self.behaviour.token_delay_seconds)
        if (body.get("stream_options") or {}).get("include_usage") and self.behaviour.sends_usage:
            waiting += _event(body, [], self._usage(body, samples))
        await response.write(bytes(waiting) + b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    def _count(self, request: web.Request) -> None:
        self.seen.tokens += 1
        if request.transport is None or request.transport.is_closing():
            self.seen.tokens_after_disconnect += 1

    def _sample(self, body: dict[str, Any], k: int) -> Sample:
        tokens, finish = _text(body, k, self.behaviour.length), "stop"
        stops = body.get("stop") or []
        text, ends = "".join(tokens), None
        found = [(text.find(s), s) for s in ([stops] if isinstance(stops, str) else stops) if text.find(s) >= 0]
        if found:
            at, ends = min(found)
            keeps = self.behaviour.tells_stop and body.get("include_stop_str_in_output")
            tokens = PIECE.findall(text[: at + len(ends)] if keeps else text[:at])
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or 10**9
        if len(tokens) > limit:
            return Sample(tuple(tokens[:limit]), "length")
        return Sample(tuple(tokens), finish, ends)

    def _choice(self, body: dict[str, Any], index: int, sample: Sample, text: str) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": index, "finish_reason": sample.finish}
        if self.behaviour.tells_stop:
            choice["stop_reason"] = sample.stop
        if "messages" in body:
            choice["message"] = {"role": "assistant", "content": text}
        else:
            choice["text"] = text
        choice["logprobs"] = _logprobs(body, sample.tokens)
        return choice

    def _piece(
        self, body: dict[str, Any], index: int, token: str, sample: Sample, finish: str | None
    ) -> dict[str, Any]:
        piece: dict[str, Any] = {"index": index, "finish_reason": finish}
        if self.behaviour.tells_stop:
            piece["stop_reason"] = sample.stop if finish else None
        if "messages" in body:
            piece["delta"] = {"content": token} if token else {}
        else:
            piece["text"] = token
        piece["logprobs"] = _logprobs(body, (token,)) if token else None
        return piece

    def _usage(self, body: dict[str, Any], samples: list[Sample]) -> dict[str, Any] | None:
        if not self.behaviour.sends_usage:
            return None
        prompt = len(_prompt(body)) // 4 + 1
        completion = sum(len(s.tokens) for s in samples)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task or the server does."""
    while not condition():  # noqa: ASYNC110 - conditions of any kind
        await asyncio.sleep(0.001)


def _prompt(body: dict[str, Any]) -> str:
    return json.dumps(body["messages"] if "messages" in body else body["prompt"])


def _key(path: str, body: dict[str, Any]) -> str:
    kept = {k: v for k, v in body.items() if k not in ("stream", "stream_options")}
    return hashlib.blake2b(f"{path} {json.dumps(kept, sort_keys=True)}".encode(), digest_size=16).hexdigest()


def _share(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") / 2**32


def _gauss(text: str) -> float:
    return random.Random(text).gauss(0.0, 1.0)


def _text(body: dict[str, Any], k: int, length: int) -> list[str]:
    """The tokens of sample k: a judgement if the prompt asks for one, else a few steps and an answer."""
    prompt = _prompt(body)
    draw = hashlib.blake2b(f"{prompt}\0{(body.get('seed') or 0) + k}".encode()).digest()
    if body.get("response_format", {}).get("type") == "json_schema":
        return PIECE.findall(json.dumps(_instance(body["response_format"]["json_schema"]["schema"], draw)))
    if body.get("max_tokens") == 1:
        return ["Yes" if draw[0] & 1 else "No"]
    if any(hint in prompt.lower() for hint in JUDGE_HINTS):
        return [f"{draw[0] / 255:.2f}"]
    if length:
        return [f"w{draw[j % 64]} " for j in range(length)]
    steps = [
        f"Step {j + 1}: {draw[j]} + {draw[9 - j]} = {draw[j] + draw[9 - j]}.\n\n" for j in range(1 + draw[10] % 4)
    ]
    return PIECE.findall("".join(steps) + f"The answer is {draw[11] % 7}.")


def _instance(schema: dict[str, Any], draw: bytes) -> Any:
    if "enum" in schema:
        return schema["enum"][draw[0] % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            inner = schema.get("properties", {})
            return {name: _instance(s, draw[i + 1 :]) for i, (name, s) in enumerate(inner.items())}
        case "array":
            return [_instance(schema.get("items", {}), draw)]
        case "integer":
            return schema.get("minimum", 0) + draw[0] % (1 + schema.get("maximum", 9) - schema.get("minimum", 0))
        case "number":
            return round(draw[0] / 255 * schema.get("maximum", 1.0), 3)
        case "boolean":
            return bool(draw[0] & 1)
    return f"text {draw[0]}"


def _logprobs(body: dict[str, Any], tokens: tuple[str, ...]) -> dict[str, Any] | None:
    wanted = body.get("logprobs")
    if wanted is None or wanted is False:
        return None
    values = [math.nan if "not_a_number" in body else -0.01 - _share(token) / 4 for token in tokens]
    if "messages" in body:
        others = [
            [{"token": f"alt{j}", "logprob": -2.0 - j} for j in range(body.get("top_logprobs", 0))] for _ in tokens
        ]
        rows = zip(tokens, values, others, strict=True)
        return {"content": [{"token": t, "logprob": v, "top_logprobs": o} for t, v, o in rows]}
    top = [{f"alt{j}": -2.0 - j for j in range(wanted)} for _ in tokens] if wanted else None
    return {
        "tokens": list(tokens),
        "token_logprobs": values,
        "top_logprobs": top,
        "text_offset": [0] * len(tokens),
    }


def _event(body: dict[str, Any], choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
    event = {"id": "x", "model": body.get("model"), "choices": choices}
    if usage is not None:
        event["usage"] = usage
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _refused(status: int, message: str, headers: dict[str, str]) -> web.Response:
    return web.json_response({"error": {"message": message, "code": status}}, status=status, headers=headers)


async def _serve(server: Server) -> None:
    async with server:
        print(server.port, flush=True)
        started_by = os.getppid()
        while os.getppid() == started_by:  # noqa: ASYNC110 - who started it may be killed without a word
            await asyncio.sleep(1)


def main() -> None:
    """Serve until killed, or left alone; every field of Behaviour is an option."""
    parser = argparse.ArgumentParser(description="A fixed-latency OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    for item in fields(Behaviour):
        option = "--" + item.name.removesuffix("_seconds").replace("_", "-")
        kind = type(item.default)
        parse = (lambda text: text.lower() in ("1", "true", "yes")) if kind is bool else kind
        parser.add_argument(option, dest=item.name, type=parse, default=item.default)
    options = vars(parser.parse_args())
    server = Server(port=options.pop("port"), behaviour=Behaviour(**options))
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(server))


if __name__ == "__main__":
    main()
