"""Usage: what calls cost, in tokens, calls and money; addable, and honest about estimates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Cost of some calls. ``cached_tokens`` are part of the prompt's, ``reasoning_tokens`` of the completion's.

    ``money`` is in the currency of the declared prices; ``exact`` is False once any part was estimated.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0
    money: float = 0.0
    exact: bool = True

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.calls + other.calls,
            self.money + other.money,
            self.exact and other.exact,
        )


NOTHING = Usage()
