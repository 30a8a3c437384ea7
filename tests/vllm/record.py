"""Record the cassettes: real servers answer the stories of tests/backends/test_vllm_recorded.py, a minute or two.

    python -m tests.vllm.record --vllm .venv-vllm/bin/python

Run it from the repository's top, where what is sent has changed: the stories then ask what no cassette has.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from tests.vllm.cassette import Cassette, Deck
from tests.vllm.conftest import Fleet, outcome_server, policy_server, process_server
from tests.vllm.server import Server
from tests.vllm.spans import Collector
from tests.vllm.stories import STORIES

SERVERS = {"policy": policy_server, "outcome": outcome_server, "process": process_server}


async def record(servers: dict[str, Server]) -> None:
    """All stories over decks that record."""
    cassettes = {name: Cassette() for name in servers}
    async with AsyncExitStack() as stack:
        decks = {
            name: await stack.enter_async_context(Deck(server.name, cassettes[name], server.root))
            for name, server in servers.items()
        }
        for story in STORIES:
            print(f"{story.__name__}: {await asyncio.to_thread(story, decks)}")
    for name, cassette in cassettes.items():
        cassette.save(name)
        print(f"{name}: {len(cassette.answers)} answers")


def main() -> None:
    """Start the servers, record, kill them."""
    parser = argparse.ArgumentParser(description="Record what vLLM answers.")
    parser.add_argument("--vllm", type=Path, required=True, help="the Python of an environment that has vLLM")
    given = parser.parse_args()
    started = list[Server]()
    with tempfile.TemporaryDirectory() as logs, Collector() as collector:
        fleet = Fleet(given.vllm, Path(logs), started, [], collector)
        try:
            servers = {name: start(fleet) for name, start in SERVERS.items()}
            asyncio.run(record({name: server.wait() for name, server in servers.items()}))
        finally:
            for server in started:
                server.kill()


if __name__ == "__main__":
    main()
