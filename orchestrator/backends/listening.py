"""Who listens at a server's address: which models it serves, in which version, and whether it writes or scores.

Asked once by `branchwise doctor`, and, but for the endpoints, when a run begins, over plain GETs of the standard
library; a search never needs it. As with a search's own calls (openai_http.py), a redirection is not followed, since
the key is for this server alone, and proxies that the environment names are not asked: what is heard is what a run
will meet.
"""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from branchwise.orchestrator.backends.openai_options import joined

WRITING, SCORING = "/v1/completions", "/pooling"
MAX_BYTES = 2**24
MOST_SHOWN = 64
_REMEDIES: Final = {
    "model": "Write one of these names, or start the server with --served-model-name ",
    "adapter.name": "Write one of these names, give adapter.path, or start the server with --lora-modules ",
}


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirection is an answer like any other that is not 200."""

    def redirect_request(self, *_: object) -> None:
        """No further request."""


_STRAIGHT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Straight)


@dataclass(frozen=True, slots=True)
class Listener:
    """What a server says of itself. ``wrong`` says why nothing is known; ``missing`` that its list is not there,
    ``away`` that nobody listens.

    ``lengths`` are the most tokens of a prompt and an answer, by model, where it tells. ``writes`` and ``scores`` are
    None where it does not list its endpoints.
    """

    models: tuple[str, ...] = ()
    lengths: Mapping[str, int] = field(default_factory=dict)
    version: str = ""
    writes: bool | None = None
    scores: bool | None = None
    missing: bool = False
    away: bool = False
    wrong: str = ""


def listener(url: str, key: str | None = None, timeout_seconds: float = 5.0) -> Listener:
    """Ask for /models below the base address, and for /version and /openapi.json of the server."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        models = _got(joined(url, "models"), headers, timeout_seconds)
    except urllib.error.HTTPError as error:
        error.close()
        return Listener(missing=error.code == 404, wrong=f"HTTP {error.code} at {joined(url, 'models')}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _unheard(error)
    root = urlunsplit(urlsplit(url)._replace(path="", query="", fragment=""))
    paths = _mapping(_tried(f"{root}/openapi.json", headers, timeout_seconds).get("paths"))
    return replace(
        _listing(models),
        version=_version(_tried(f"{root}/version", headers, timeout_seconds)),
        writes=WRITING in paths if paths else None,
        scores=SCORING in paths if paths else None,
    )


def told(address: str, key: str | None = None, timeout_seconds: float = 2.0) -> Listener:
    """Models and version, as far as the server at this address, without /v1, tells; soon, for a run that begins."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        models = _got(f"{address}/v1/models", headers, timeout_seconds)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if (unheard := _unheard(error)).away:
            return unheard
        models = None
    return replace(_listing(models), version=_version(_tried(f"{address}/version", headers, timeout_seconds)))


def unserved(names: Mapping[str, str], heard: Mapping[str, Listener]) -> Iterator[tuple[str, str]]:
    """What of ``names``, by their keys, servers say that they don't have; each key with why, and what to do.

    ``heard`` are a model's servers by address. Where none of them is there that is all that is said, of the key url.
    """
    if heard and all(one.away for one in heard.values()):
        why = next(iter(heard.values())).wrong
        yield "url", f"nothing answers at {', '.join(heard)} ({why}): is the server started?"
    for server, one in heard.items():
        for key, name in names.items():
            if one.models and name not in one.models:
                served = ", ".join(one.models)
                yield key, f"'{name}' is not served at {server}; served: {served}. {_REMEDIES[key]}{name}"


def _unheard(error: Exception) -> Listener:
    reason = getattr(error, "reason", None)
    away = isinstance(reason, ConnectionRefusedError | socket.gaierror)
    return Listener(away=away, wrong=str(reason or error) or type(error).__name__)


def _listing(models: Any) -> Listener:
    """The models of a list as OpenAI's, with vLLM's lengths."""
    each = [one for one in map(_mapping, _list(_mapping(models).get("data"))) if isinstance(one.get("id"), str)]
    lengths = {one["id"]: length for one in each if isinstance(length := one.get("max_model_len"), int)}
    return Listener(tuple(one["id"] for one in each), lengths)


def _version(said: dict[str, Any]) -> str:
    version = said.get("version")
    return version[:MOST_SHOWN] if isinstance(version, str) else ""


def _tried(url: str, headers: dict[str, str], timeout_seconds: float) -> dict[str, Any]:
    """A JSON object, or an empty one: not every server has this page."""
    try:
        return _mapping(_got(url, headers, timeout_seconds))
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        return {}


def _got(url: str, headers: dict[str, str], timeout_seconds: float) -> Any:
    request = urllib.request.Request(url, headers=headers)
    with _STRAIGHT.open(request, timeout=timeout_seconds) as answer:
        return json.loads(answer.read(MAX_BYTES))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
