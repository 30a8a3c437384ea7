"""What the parts of a report are made of: closed models, texts that can be written, counts of tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from branchwise.orchestrator.core.judgement import Source
from branchwise.orchestrator.core.usage import NOTHING, Usage


def writable(value: object) -> object:
    """``value`` with the lone surrogates of its strings replaced, so that it has a UTF-8 form."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {writable(key): writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [writable(item) for item in value]
    return value


Fact = str | int | float | bool | None
RewardKind = Literal[Source, "none"]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Shown(BaseModel):
    """Root of the report's parts: unknown keys and non-finite numbers are refused, lone surrogates replaced."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _writable(cls, value: object) -> object:
        return writable(value)


class Interval(Shown):
    """Bounds of a 95 % interval."""

    low: float
    high: float


class TokenCount(Shown):
    """Tokens and calls; ``cached`` is part of the prompt, ``reasoning`` of the completion."""

    prompt: Count = 0
    completion: Count = 0
    cached: Count = 0
    reasoning: Count = 0
    calls: Count = 0
    money: float = 0.0
    exact: bool = True

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


def token_count(usage: Usage) -> TokenCount:
    """The report's form of a Usage."""
    return TokenCount(
        prompt=usage.prompt_tokens,
        completion=usage.completion_tokens,
        cached=usage.cached_tokens,
        reasoning=usage.reasoning_tokens,
        calls=usage.calls,
        money=usage.money,
        exact=usage.exact,
    )


class RoleTokens(Shown):
    """What one role (policy, verifier, ...) drew, and what of it was sent and paid for in this run."""

    role: str
    drawn: TokenCount
    paid: TokenCount


def role_tokens(drawn: dict[str, Usage], paid: dict[str, Usage]) -> tuple[RoleTokens, ...]:
    """Two tallies by role (``Tally.by_role``) side by side, the policy first."""
    roles = sorted(drawn.keys() | paid.keys(), key=lambda role: (role != "policy", role != "verifier", role))
    return tuple(
        RoleTokens(
            role=role,
            drawn=token_count(drawn.get(role, NOTHING)),
            paid=token_count(paid.get(role, NOTHING)),
        )
        for role in roles
    )
