"""Options of the backend ``openai``, and what follows from them alone: addresses and identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import ConfigDict, Field, JsonValue, SecretStr, field_validator

from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Capabilities, Identity

_NAMES = frozenset(field.name for field in fields(Capabilities))


class Options(ModelOptions):
    """Where the server is, which model it serves, and what this server can do beyond the common part."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kind: Literal["openai"] = "openai"
    url: str = Field(description="Base address, such as http://localhost:8000/v1.")
    model: str = Field(min_length=1, description="The model's name on that server.")
    api_key: SecretStr | None = Field(None, description="Sent as bearer token; write ${OPENAI_API_KEY}.")
    connect_timeout_seconds: float = Field(10.0, gt=0, description="Time to reach the server.")
    first_byte_timeout_seconds: float | None = Field(
        None,
        gt=0,
        description="Longest silence, before the first byte and between pieces; default: no limit.",
    )
    streaming: bool = Field(True, description="Stream answers: usage is known when a call is cancelled.")
    keeps_stop: bool = Field(False, description="The server knows include_stop_str_in_output (vLLM).")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="What the server calls the limit in chats."
    )
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
        """The model's name, and a hash of ``extra`` if there is any, since that changes the draws; never the url."""
        if not self.extra:
            return Identity(self.model, weights=self.model)
        text = json.dumps(self.extra, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return Identity(self.model, weights=f"{self.model}#{digest}")

    @property
    def server(self) -> str:
        """The base address without its query, equal for equal servers."""
        parts = urlsplit(shown(self.url))
        return urlunsplit(parts._replace(netloc=parts.netloc.lower(), path=parts.path.rstrip("/")))

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must begin with http:// or https:// and name a host")
        if parts.username or parts.password:
            raise ValueError("url must not hold a user name or password; use api_key")
        return url.strip()

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
        if unknown := sorted(set(declared) - _NAMES):
            raise ValueError(f"unknown capabilities {unknown}; there are {sorted(_NAMES)}")
        return declared


def joined(url: str, path: str) -> str:
    """The address of ``path`` below a base address, which may have a query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def shown(url: str) -> str:
    """An address without its query, which may hold a key."""
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
