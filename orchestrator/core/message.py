"""Message: what is said to a model and what it says, as a role and typed content parts.

Text is one kind of part from the first day, since a core type is costly to widen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be called; ``arguments`` is JSON text, unparsed."""

    id: str
    name: str
    arguments: str
    type: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a model may call; ``parameters`` is a JSON schema as text."""

    name: str
    description: str = ""
    parameters: str = '{"type": "object"}'


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered to the call with this id."""

    id: str
    text: str
    type: Literal["tool_result"] = "tool_result"


Part = Text | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


def user(text: str) -> Message:
    """A user's message of plain text."""
    return Message("user", (Text(text),))


def system(text: str) -> Message:
    """A system message of plain text."""
    return Message("system", (Text(text),))


def assistant(text: str) -> Message:
    """An assistant's message of plain text."""
    return Message("assistant", (Text(text),))
