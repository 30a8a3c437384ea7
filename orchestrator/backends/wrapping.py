"""Wrapping: a backend around another, with the same face. A wrapper changes how a call is made, not who answers."""

from __future__ import annotations

from branchwise.orchestrator.core.request import Capabilities, Identity, Request
from branchwise.orchestrator.core.roles import Backend


class Wrapping:
    """What all wrappers pass through to the backend inside; each brings its own ``generate``."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def identity(self) -> Identity:
        """The inner backend's."""
        return self._backend.identity

    @property
    def capabilities(self) -> Capabilities:
        """The inner backend's."""
        return self._backend.capabilities

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """The inner backend's."""
        return self._backend.count_prompt(request)

    async def aclose(self) -> None:
        """Close the inner backend."""
        await self._backend.aclose()
