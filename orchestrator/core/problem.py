"""Problem: the public half of a task row. The answer key never travels with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from branchwise.orchestrator.core.message import Message, user


@dataclass(frozen=True, slots=True)
class Problem:
    """What a model may see of one task row; ``metadata`` is public and holds JSON values only."""

    id: str
    messages: tuple[Message, ...]
    metadata: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the last message: what one would print as the question."""
        return self.messages[-1].text if self.messages else ""


def problem(text: str, id: str = "problem") -> Problem:
    """A problem of one user message."""
    return Problem(id, (user(text),))
