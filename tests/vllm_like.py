"""A server that answers as vLLM 0.32.0 did when it was asked the same, without vLLM: shapes, not a model.

Its tokenizer is ``VOCABULARY`` (some tokens hold several characters, so that a stop string can end within one). What
it "draws" is what ``script`` says, a function of the request's body and the number of the choice. Each attribute of
``VLLMLike`` that is a switch stands for a server that was started otherwise, or breaks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

VOCABULARY = ("<eos>", "\n", "1", "2", "3", "+", "=", "\n\n", "=\n1", " ", "a", "b", "{", "}", '"', ":")
EOS = 0
METRICS = """# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
vllm:num_requests_waiting{engine="0",model_name="m"} %.1f
vllm:kv_cache_usage_perc{engine="0",model_name="m"} %.2f
"""

Script = Callable[[dict[str, Any], int], tuple[int, ...]]


def ids_of(text: str) -> tuple[int, ...]:
    """A text's tokens: the longest that fit, from the left."""
    found: list[int] = []
    while text:
        token = max((t for t in VOCABULARY if text.startswith(t)), key=len)
        found.append(VOCABULARY.index(token))
        text = text[len(token) :]
    return tuple(found)


def text_of(ids: tuple[int, ...]) -> str:
    """The tokens' text; the end of sequence has none."""
    return "".join(VOCABULARY[token] for token in ids if token != EOS)


@dataclass(frozen=True)
class _Sample:
    ids: tuple[int, ...]
    text: str
    finish: str
    stop: str | None


@dataclass
class VLLMLike:
    """One server. ``asked`` are the bodies by path, ``headers`` those of the last call."""

    script: Script = lambda body, k: (*ids_of("1+2=\n"), EOS)
    ignores_structure: bool = False
    detokenizes: bool = True
    healthy: bool = True
    waiting: float = 0.0
    cache_usage: float = 0.0
    gate: asyncio.Event | None = None
    values: list[Any] = field(default_factory=lambda: [0.5])
    port: int = 0
    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    adapters: set[str] = field(default_factory=set)
    cut_off: int = 0
    looks: int = 0
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Base address for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was asked at a path, in order."""
        return self.asked.get(path, [])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the port it had before if there was one."""
        app = web.Application()
        app.router.add_get("/{path:.*}", self._tell)
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """As killed: all connections and the port are gone, and what it had loaded."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.adapters.clear()

    async def _tell(self, request: web.Request) -> web.Response:
        match request.path:
            case "/health":
                self.looks += 1
                return web.Response(status=200 if self.healthy else 503)
            case "/metrics":
                return web.Response(text=METRICS % (self.waiting, self.cache_usage))
            case "/version":
                return web.json_response({"version": "0.32.0"})
            case "/v1/models":
                return web.json_response({"object": "list", "data": [{"id": "m", "max_model_len": 256}]})
        return web.json_response({"detail": "Not Found"}, status=404)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.asked.setdefault(request.path, []).append(body)
        self.headers = dict(request.headers)
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cut_off += 1
                raise
        match request.path:
            case "/v1/completions" | "/v1/chat/completions":
                return await self._write(request, body)
            case "/detokenize" if self.detokenizes:
                return web.json_response({"prompt": "".join(VOCABULARY[token] for token in body["tokens"])})
            case "/tokenize":
                return web.json_response({"tokens": self._prompt(body)})
            case "/generative_scoring":
                return self._compare(body)
            case "/classify" | "/pooling" | "/score":
                return self._pool(request.path, body)
            case "/v1/load_lora_adapter" | "/v1/unload_lora_adapter":
                return self._adapt(request.path, body)
        return web.json_response({"detail": "Not Found"}, status=404)

    def _compare(self, body: dict[str, Any]) -> web.Response:
        item = {"index": 0, "object": "score", "score": self.values[0]}
        usage = {"prompt_tokens": len(body["query"]) + 1, "completion_tokens": 1}
        return web.json_response({"model": body["model"], "data": [item], "usage": usage})

    def _adapt(self, path: str, body: dict[str, Any]) -> web.Response:
        name = body["lora_name"]
        if "unload" in path:
            self.adapters.discard(name)
            return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")
        if name in self.adapters:
            return _refused(f"The lora adapter '{name}' has already been loaded. If you want to load the adapter ...")
        self.adapters.add(name)
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    def _pool(self, path: str, body: dict[str, Any]) -> web.Response:
        usage = {"prompt_tokens": 5, "total_tokens": 5, "completion_tokens": 0, "prompt_tokens_details": None}
        item: dict[str, Any] = {"index": 0}
        if path == "/classify":
            item |= {"label": "LABEL_0", "probs": self.values, "num_classes": 1}
        elif path == "/pooling":
            item |= {"object": "pooling", "data": self.values}
        else:
            item |= {"object": "score", "score": self.values[0]}
        return web.json_response(
            {"id": "x", "object": "list", "model": body["model"], "data": [item], "usage": usage}
        )

    async def _write(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        n = body.get("n") or 1
        if body["model"] not in {"m", *self.adapters}:
            missing = {
                "message": f"The model `{body['model']}` does not exist.",
                "type": "NotFoundError",
                "code": 404,
            }
            return web.json_response({"error": missing}, status=404)
        if body["temperature"] == 0 and n > 1:
            return _refused(f"n must be 1 when using greedy sampling, got {n}.")
        if body["max_tokens"] < 1:
            return _refused("max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)")
        prompt = self._prompt(body)
        samples = [self._sample(body, k) for k in range(n)]
        usage = {"prompt_tokens": len(prompt), "completion_tokens": sum(len(s.ids) for s in samples)}
        usage |= {"prompt_tokens_details": {"cached_tokens": min(4, len(prompt))}}
        if body.get("stream"):
            return await self._stream(request, body, samples, prompt, usage)
        whole = {"model": body["model"], "usage": usage, "choices": []}
        whole["choices"] = [self._choice(body, k, s, prompt) for k, s in enumerate(samples)]
        if body.get("prompt_logprobs") is not None and "messages" in body:
            whole["prompt_logprobs"] = whole["choices"][0].pop("prompt_logprobs")
        return web.json_response(whole)

    def _prompt(self, body: dict[str, Any]) -> tuple[int, ...]:
        if "messages" in body:
            return ids_of("".join(message["content"] for message in body["messages"]))
        return ids_of(body["prompt"]) if isinstance(body["prompt"], str) else tuple(body["prompt"])

    def _sample(self, body: dict[str, Any], k: int) -> _Sample:
        ids, asked = self.script(body, k), body.get("structured_outputs")
        if asked and not self.ignores_structure:
            wanted = "2" if "json" in asked else asked["choice"][0] if "choice" in asked else "12"
            ids = (*ids_of(wanted), EOS)
        for end in range(1, len(ids) + 1):
            text = text_of(ids[:end])
            found = [(text.find(s) + len(s), s) for s in body.get("stop") or () if s in text]
            if found:
                at, stop = min(found)
                return _Sample(ids[:end], text[:at], "stop", stop)
            if end == body["max_tokens"] and ids[end - 1] != EOS:
                return _Sample(ids[:end], text, "length", None)
        return _Sample(ids, text_of(ids), "stop", None)

    def _choice(self, body: dict[str, Any], k: int, s: _Sample, prompt: tuple[int, ...]) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": k, "finish_reason": s.finish, "stop_reason": s.stop, "logprobs": None}
        choice |= {"message": {"role": "assistant", "content": s.text}} if "messages" in body else {"text": s.text}
        if body.get("return_token_ids"):
            choice |= {"token_ids": s.ids, "prompt_token_ids": prompt}
        if body.get("prompt_logprobs") is not None:
            rows = [{str(t): {"logprob": -0.5 * t, "rank": 1, "decoded_token": VOCABULARY[t]}} for t in prompt[1:]]
            choice["prompt_logprobs"] = [None, *rows]
        return choice

    async def _stream(
        self,
        request: web.Request,
        body: dict[str, Any],
        samples: list[_Sample],
        prompt: tuple[int, ...],
        usage: dict[str, Any],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for k, sample in enumerate(samples):
            half = len(sample.ids) // 2
            cut = min(len(text_of(sample.ids[:half])), len(sample.text))
            for first, ids, text in (
                (True, sample.ids[:half], sample.text[:cut]),
                (False, sample.ids[half:], sample.text[cut:]),
            ):
                part: dict[str, Any] = {"index": k, "finish_reason": None if first else sample.finish}
                part["stop_reason"] = None if first else sample.stop
                part |= {"delta": {"content": text}} if "messages" in body else {"text": text}
                event: dict[str, Any] = {"model": body["model"], "choices": [part]}
                if body.get("return_token_ids"):
                    part["token_ids"] = ids
                    (event if "messages" in body else part)["prompt_token_ids"] = prompt if first else None
                await response.write(f"data: {json.dumps(event)}\n\n".encode())
        last = {"model": body["model"], "choices": [], "usage": usage}
        await response.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
        await response.write_eof()
        return response


def _refused(message: str) -> web.Response:
    error = {"message": message, "type": "BadRequestError", "param": None, "code": 400}
    return web.json_response({"error": error}, status=400)
