"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from tests.server import Server

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A well-behaved OpenAI-compatible server on this test's loop; change ``server.behaviour`` to taste."""
    async with Server() as running:
        yield running
