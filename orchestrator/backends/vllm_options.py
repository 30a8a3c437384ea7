"""Options of the backend ``vllm_server``, and what follows from them alone: addresses, identity, capabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from branchwise.orchestrator.backends.openai_options import ServerOptions, bare_address, checked_url, marked
from branchwise.orchestrator.core.request import Capabilities, Identity

GENERATES = Capabilities(
    token_ids=True, continue_message=True, seeds_increment=True, logprobs=True, json_schema=True, knows_stop=True,
    prompt_logprobs=True, labels=True, choices=True, regex=True, tools=True,
)  # fmt: skip
POOLS = Capabilities(token_ids=True, n=False, seed=False, pooling=True, writes=False)


class Adapter(BaseModel):
    """A LoRA adapter, by the name under which the server has it or is to load it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="The adapter's name on the server.")
    path: str | None = Field(
        None, description="Its folder as the server sees it, to be loaded before the first call."
    )


class Options(ServerOptions):
    """Where the server is, or its replicas are; what it was started with; what is to be used of it."""

    WORDLESS: ClassVar[frozenset[str]] = frozenset()
    TRANSPORT: ClassVar[frozenset[str]] = ServerOptions.TRANSPORT | {
        "urls", "load_cap", "health_seconds", "priority", "stream_interval", "traceparent"
    }  # fmt: skip
    VERSIONED: ClassVar[str] = "vLLM"

    kind: Literal["vllm_server"] = "vllm_server"
    url: str | None = Field(None, description="Base address, such as http://localhost:8000/v1.")
    urls: list[str] = Field(default_factory=list, description="Instead: the addresses of replicas of one model.")
    runner: Literal["generate", "pooling"] = Field(
        "generate", description="What the server was started as: a model that writes, or one that scores (pooling)."
    )
    outcome_endpoint: Literal["classify", "pooling"] = Field(
        "classify", description="Path that an outcome model is asked at; both give the same numbers."
    )
    token_ids: bool = Field(
        True, description="Steps go on from the token ids that were drawn, not from their text: prefixes stay cached."
    )
    logprobs_mode: Literal["raw", "processed"] = Field(
        "raw",
        description="Log-probabilities before or after temperature and cut-offs: --logprobs-mode of the server.",
    )
    adapter: Adapter | None = Field(None, description="LoRA adapter that answers: {name, path}.")
    priority: int | None = Field(
        None, description="Lower is served sooner, by a server with --scheduling-policy priority; others overlook it."
    )
    traceparent: bool = Field(
        False, description="Send W3C trace context: one trace a problem of a run, one span a call."
    )
    stream_interval: int = Field(16, gt=0, description="Tokens a streamed piece; more is cheaper for the server.")
    load_cap: float = Field(
        1.25, ge=1, description="A replica takes so many times its fair share of the calls before others help it."
    )
    health_seconds: float = Field(1.0, gt=0, description="Time between two looks at the replicas' health.")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The base addresses of all replicas, without /v1."""
        return tuple(url.rstrip("/").removesuffix("/v1") for url in ([self.url] if self.url else self.urls))

    @property
    def identity(self) -> Identity:
        """The model's name, and a hash of what else changes the draws; never where it is served, nor how often."""
        settings: dict[str, Any] = {"extra": self.extra} if self.extra else {}
        if self.adapter is not None:
            settings["adapter"] = self.adapter.model_dump()
        if self.logprobs_mode != "raw":
            settings["logprobs"] = self.logprobs_mode
        return marked(self.model, settings)

    @property
    def server(self) -> str:
        """The first address without its query, equal for equal servers."""
        return bare_address(self.addresses[0])

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses of all replicas, likewise."""
        return tuple(map(bare_address, self.addresses))

    @property
    def served_names(self) -> dict[str, str]:
        """The model, and an adapter that is not loaded by us."""
        there = self.adapter is not None and self.adapter.path is None
        return {"model": self.model} | ({"adapter.name": self.adapter.name} if there and self.adapter else {})

    @field_validator("url", "urls")
    @classmethod
    def _check_addresses(cls, given: str | list[str] | None) -> str | list[str] | None:
        if given is None or isinstance(given, str):
            return None if given is None else _plain(given)
        return [_plain(url) for url in given]

    @model_validator(mode="after")
    def _check_where(self) -> Options:
        if bool(self.url) == bool(self.urls):
            raise ValueError("give either url or urls")
        if len(set(self.addresses)) < len(self.addresses):
            raise ValueError("urls holds the same address twice")
        return self


def capabilities_of(options: Options) -> Capabilities:
    """What the server can do, by what it runs and what it was started with; ``capabilities`` has the last word."""
    told = {"priority": options.priority is not None}
    if options.runner == "pooling":
        return replace(POOLS, **(told | options.capabilities))
    return replace(GENERATES, **(told | {"token_ids": options.token_ids} | options.capabilities))


def _plain(url: str) -> str:
    if "?" in url:
        raise ValueError("url must not have a query")
    return checked_url(url)
