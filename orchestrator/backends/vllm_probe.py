"""What vLLM servers are and can do: asked of the servers themselves, never on the way of a call.

1. /health and /metrics, /version, /v1/models.
2. One small request a feature, through the backend itself, so that what is tried is what a run would send.

A server refuses, ignores or heeds a field: only the last counts as working. What was not tried says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from branchwise.orchestrator.backends.openai_answer import MALFORMED
from branchwise.orchestrator.backends.openai_errors import excerpt
from branchwise.orchestrator.backends.openai_http import Connection
from branchwise.orchestrator.backends.vllm_health import Load, look
from branchwise.orchestrator.backends.vllm_options import Options
from branchwise.orchestrator.backends.vllm_server import VLLMServer
from branchwise.orchestrator.core.errors import BackendError
from branchwise.orchestrator.core.message import Tool, assistant, user
from branchwise.orchestrator.core.request import Draw, Request

WAIT_SECONDS = 10.0
TESTED = ("0.32.0",)
WRITTEN_FOR = ("0.30", "0.31", "0.32", "0.33")


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing a server may be able to do, and what it said when it was asked for it."""

    name: str
    works: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What one server is. ``error`` says what kept it from being asked."""

    url: str
    error: str = ""
    version: str = ""
    models: tuple[str, ...] = ()
    max_model_len: int | None = None
    load: Load = field(default_factory=Load)
    features: tuple[Feature, ...] = ()

    @property
    def known_version(self) -> bool:
        """Whether this backend was written for the version."""
        return any(self.version.startswith(f"{release}.") for release in WRITTEN_FOR)

    def works(self, name: str) -> bool:
        """Whether this feature was tried and works."""
        return any(feature.works for feature in self.features if feature.name == name)


Check = Callable[[tuple[Draw, ...]], bool]
_P, _ONE = "1+1=", (assistant("1"),)
_WRITING: dict[str, tuple[Request, Check]] = {
    "completion": (Request(prompt=_P, max_tokens=1), lambda draws: True),
    "chat": (Request(messages=(user(_P),), max_tokens=1), lambda draws: True),
    "continue_message": (Request(messages=(user(_P), *_ONE), max_tokens=1), lambda draws: True),
    "n": (Request(prompt=_P, max_tokens=1, n=2, seed=1), lambda draws: len(draws) == 2),
    "seed": (Request(prompt=_P, max_tokens=8, n=2, seed=1), lambda draws: True),
    "greedy": (Request(prompt=_P, max_tokens=1, n=2, temperature=0.0), lambda draws: len(draws) == 2),
    "logprobs": (Request(prompt=_P, max_tokens=1, logprobs=1), lambda draws: bool(draws[0].logprobs)),
    "prompt_logprobs": (
        Request(prompt=_P, max_tokens=0, prompt_logprobs=True),
        lambda draws: bool(draws[0].prompt_logprobs),
    ),
    "json_schema": (Request(prompt=_P, max_tokens=8, json_schema='{"type": "integer"}'), lambda draws: True),
    "choices": (Request(prompt=_P, max_tokens=8, choices=("12", "34")), lambda draws: True),
    "regex": (Request(prompt=_P, max_tokens=8, regex="[0-9]{2}"), lambda draws: draws[0].text.isdigit()),
    "tools": (Request(messages=(user(_P),), max_tokens=1, tools=(Tool("add", "Adds."),)), lambda draws: True),
    "token_ids": (
        Request(prompt=_P, max_tokens=8, regex="00", stop=("0",), keep_stop=True),
        lambda draws: bool(draws[0].token_ids and draws[0].prompt_ids),
    ),
    "priority": (Request(prompt=_P, max_tokens=1, priority=1), lambda draws: True),
}
_POOLING: dict[str, tuple[Request, Check]] = {
    kind: (request, lambda draws: bool(draws[0].values))
    for kind, request in {
        "classify": Request(prompt=_P, pooling="classify", max_tokens=0),
        "token_classify": Request(prompt=_P, pooling="token_classify", max_tokens=0),
        "score": Request(prompt=_P, document="2", pooling="score", max_tokens=0),
    }.items()
}


async def probe(options: Options) -> tuple[Findings, ...]:
    """What each of the servers is and can do; never raises for what a server does."""
    return tuple([await _probe_one(url, options) for url in options.addresses])


async def _probe_one(url: str, options: Options) -> Findings:
    alone = options.model_copy(update={"url": url, "urls": []})
    connection = Connection(url, alone)
    try:
        load = await look(connection, WAIT_SECONDS)
        version = await _json(connection, "version")
        models = (await _json(connection, "v1/models"))["data"]
        return Findings(
            connection.where,
            "",
            str(version["version"]),
            tuple(str(model["id"]) for model in models),
            next((int(str(model["max_model_len"])) for model in models if model.get("max_model_len")), None),
            load,
            await _features(alone),
        )
    except BackendError as error:
        return Findings(connection.where, str(error))
    except MALFORMED as error:
        return Findings(connection.where, f"this is no vLLM server: {excerpt(repr(error))}")
    finally:
        await connection.aclose()


async def _json(connection: Connection, path: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(await connection.get(path, WAIT_SECONDS))
    return found


async def _features(options: Options) -> tuple[Feature, ...]:
    wanted = _WRITING if options.runner == "generate" else _POOLING
    model = VLLMServer(options)
    try:
        return tuple([await _feature(model, name, *wanted[name]) for name in wanted])
    finally:
        await model.aclose()


async def _feature(model: VLLMServer, name: str, request: Request, check: Check) -> Feature:
    if name == "priority" and not model.capabilities.priority:
        return Feature(name, False, "not tried: the option priority is not set")
    try:
        draws = await model.generate(request)
    except BackendError as error:
        return Feature(name, False, str(error))
    return Feature(name, True) if check(draws) else Feature(name, False, "the server ignored the field")
