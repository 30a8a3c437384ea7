"""Thinking: what a model only thought is no answer, so it is taken off before anything is read."""

from __future__ import annotations

from typing import Final

THINKS: Final = "<think>"
HAS_THOUGHT: Final = "</think>"


def without_thinking(text: str) -> str:
    """The text after the last end of thinking; nothing where a thought was begun and never ended."""
    _, ended, after = text.rpartition(HAS_THOUGHT)
    said = after if ended else text
    return "" if THINKS in said else said
