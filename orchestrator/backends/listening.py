"""Who listens at a server's address: which models it serves, in which version, and whether it writes or scores.

Asked once by `branchwise doctor`, the version also when a run begins, over plain GETs of the standard library; a
search never needs it. As with a search's own calls (openai_http.py), a redirection is not followed, since the key is
for this server alone, and proxies that the environment names are not asked: what is heard is what a run will meet.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from branchwise.orchestrator.backends.openai_options import joined

WRITING, SCORING = "/v1/completions", "/pooling"
MAX_BYTES = 2**24
MOST_SHOWN = 64


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirection is an answer like any other that is not 200."""

    def redirect_request(self, *_: object) -> None:
        """No further request."""


_STRAIGHT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Straight)


@dataclass(frozen=True, slots=True)
class Listener:
    """What a server says of itself. ``wrong`` says why nothing is known; ``missing`` that its list is not there.

    ``writes`` and ``scores`` are None where it does not list its endpoints.
    """

    models: tuple[str, ...] = ()
    version: str = ""
    writes: bool | None = None
    scores: bool | None = None
    missing: bool = False
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
        reason = getattr(error, "reason", None)
        return Listener(wrong=str(reason or error) or type(error).__name__)
    root = urlunsplit(urlsplit(url)._replace(path="", query="", fragment=""))
    version = _tried(f"{root}/version", headers, timeout_seconds)
    paths = _mapping(_tried(f"{root}/openapi.json", headers, timeout_seconds).get("paths"))
    return Listener(
        tuple(str(_mapping(each).get("id")) for each in _list(_mapping(models).get("data"))),
        str(version.get("version", "")),
        WRITING in paths if paths else None,
        SCORING in paths if paths else None,
    )


def version_of(address: str, timeout_seconds: float = 2.0) -> str:
    """The version that the server at this address, without /v1, says it is of; empty where it does not say."""
    version = _tried(f"{address}/version", {}, timeout_seconds).get("version")
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
