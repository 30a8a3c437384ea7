"""Options of servers that speak the OpenAI protocol, and what follows from them alone: addresses and identity.

``ServerOptions`` are common to the kinds ``openai`` and ``vllm_server``; ``Options`` are those of ``openai``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import ConfigDict, Field, JsonValue, SecretStr, field_validator

from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Capabilities, Identity

_NAMES = frozenset(field.name for field in fields(Capabilities))


class ServerOptions(ModelOptions):
    """Which model the server has, how long it may take, and what it can do beyond the common part."""

    model_config = ConfigDict(hide_input_in_errors=True)

    WORDLESS: ClassVar[frozenset[str]] = frozenset({"labels"})
    """Capabilities that can't be declared: this kind has no words for them in its requests."""

    TRANSPORT: ClassVar[frozenset[str]] = ModelOptions.TRANSPORT | {
        "url", "api_key", "connect_timeout_seconds", "first_byte_timeout_seconds", "streaming"
    }  # fmt: skip

    model: str = Field(min_length=1, description="The model's name on that server.")
    api_key: SecretStr | None = Field(None, description="Sent as bearer token; write ${OPENAI_API_KEY}.")
    connect_timeout_seconds: float = Field(10.0, gt=0, description="Time to reach the server.")
    first_byte_timeout_seconds: float | None = Field(
        None,
        gt=0,
        description="Longest silence, before the first byte and between pieces; default: no limit.",
    )
    streaming: bool = Field(True, description="Stream answers: usage is known when a call is cancelled.")
    capabilities: dict[str, bool] = Field(
        default_factory=dict,
        description="What this server can do, such as {json_schema: true, logprobs: true}.",
    )
    extra: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Further fields of each request's body; null removes one of ours. They go on record: "
        "write a secret as ${NAME}, or as api_key.",
    )

    @property
    def identity(self) -> Identity:
        """The model's name, and a hash of what else changes the draws, if there is any; never the url."""
        return marked(self.model, self.extra)

    @property
    def key(self) -> str | None:
        """The bearer token."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value().strip() if key else ""
        if not (text.isascii() and (text.isprintable() or not text)):
            raise ValueError("api_key must be printable ASCII")
        return SecretStr(text) if text else None

    @field_validator("capabilities")
    @classmethod
    def _check_capabilities(cls, declared: dict[str, bool]) -> dict[str, bool]:
        if unknown := sorted(set(declared) - (known := _NAMES - cls.WORDLESS)):
            raise ValueError(f"unknown capabilities {unknown}; there are {sorted(known)}")
        return declared


class Options(ServerOptions):
    """Where the server is, which model it serves, and what this server can do beyond the common part."""

    WORDLESS: ClassVar[frozenset[str]] = frozenset(
        {"labels", "pooling", "prompt_logprobs", "choices", "regex", "priority"}
    )

    kind: Literal["openai"] = "openai"
    url: str = Field(description="Base address, such as http://localhost:8000/v1.")
    keeps_stop: bool = Field(False, description="The server knows include_stop_str_in_output (vLLM).")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="What the server calls the limit in chats."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        return checked_url(url)

    @property
    def server(self) -> str:
        """The base address without its query, equal for equal servers."""
        return bare_address(self.url)


def marked(model: str, settings: Mapping[str, JsonValue]) -> Identity:
    """Who answers under this name with these settings: a hash of them stands with the name, if there are any."""
    if not settings:
        return Identity(model, weights=model)
    text = json.dumps(settings, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return Identity(model, weights=f"{model}#{digest}")


def checked_url(url: str) -> str:
    """A server's address as it was written; ValueError where it is none, or holds a password."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url must begin with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ValueError("url must not hold a user name or password; use api_key")
    return url.strip()


def bare_address(url: str) -> str:
    """An address without its query, equal for equal servers."""
    parts = urlsplit(shown(url))
    return urlunsplit(parts._replace(netloc=parts.netloc.lower(), path=parts.path.rstrip("/")))


def joined(url: str, path: str) -> str:
    """The address of ``path`` below a base address, which may have a query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def shown(url: str) -> str:
    """An address without its query, which may hold a key."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
