"""What an OpenAI-compatible server refuses, as a BackendError. Pure: no network, no aiohttp.

Retryable: 408, 409, 425, 429 and all 5xx, but for an exhausted quota. 502 and 503 without a Retry-After are what a
gateway says of a server that is restarted: Unavailable. A prompt that is too long is a ContextOverflow. Everything
else would fail again in the same way.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from branchwise.orchestrator.core.errors import BackendError, ContextOverflow, Unavailable

EXCERPT_CHARACTERS = 200
_RETRYABLE = frozenset({408, 409, 425, 429})
_AWAY = frozenset({502, 503})
_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|(maximum|max) (context|model|sequence) len"
    r"|available context size|context window|(prompt|input|request) is too long|reduce the length"
    r"|max_tokens must be at least 1, got 0|cannot be greater than max_model_len",
    re.IGNORECASE,
)


def refusal(where: str, status: int, body: str, headers: Mapping[str, str], now: float) -> BackendError:
    """The error for an HTTP status other than 200; ``now`` is Unix time, for a Retry-After that is a date."""
    asked = retry_after_seconds(headers, now)
    if status in _AWAY and asked is None:
        return Unavailable(_message(where, status, body), retryable=True)
    return _failed(where, status, body, asked)


def _message(where: str, status: int, body: str) -> str:
    return f"{where}: HTTP {status}: {excerpt(body)}"


def _failed(where: str, status: int, body: str, asked: float | None = None) -> BackendError:
    message = _message(where, status, body)
    if status in (400, 413, 422) and _TOO_LONG.search(body):
        return ContextOverflow(message)
    retryable = status >= 500 or (status in _RETRYABLE and "insufficient_quota" not in body)
    return BackendError(message, retryable=retryable, retry_after_seconds=asked if retryable else None)


def stream_error(where: str, error: object, scrub: Callable[[str], str]) -> BackendError:
    """The error for an error object within an answer that began with HTTP 200."""
    code = error.get("code") if isinstance(error, dict) else None
    text = scrub(str(error.get("message", error)) if isinstance(error, dict) else str(error))
    if isinstance(code, int) and 400 <= code < 600:
        return _failed(where, code, text)
    if _TOO_LONG.search(f"{code} {text}"):
        return ContextOverflow(f"{where}: {excerpt(text)}")
    return BackendError(f"{where}: {excerpt(text)}", retryable=True)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server wants us to wait, from retry-after-ms or Retry-After (seconds or HTTP date)."""
    for name, unit in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _seconds_until(value, now)
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _seconds_until(date: str, now: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (ValueError, OverflowError):  # the latter of a year that no clock shows
        return math.nan


def excerpt(text: str) -> str:
    """The first 200 characters, on one line."""
    return " ".join(text[:EXCERPT_CHARACTERS].split()) or "(empty)"
