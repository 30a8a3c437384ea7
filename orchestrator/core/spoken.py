"""Spoken: what a model says once it has thought. What it only thought is no answer."""

from __future__ import annotations

from typing import Final

THINKS: Final = "<think>"
HAS_THOUGHT: Final = "</think>"


def spoken(text: str) -> str:
    """The text after the last end of thinking; nothing where a thought was begun and never ended."""
    _, ended, after = text.rpartition(HAS_THOUGHT)
    said = after if ended else text
    return "" if THINKS in said else said
