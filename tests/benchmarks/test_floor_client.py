"""The floor is a fair one: it sends the very requests that the search sends, no more and no fewer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.floor_client import with_floor
from tests.benchmarks.works import ALL, EXPANSIONS, Work, floor, kept, solved
from tests.server import Server


@pytest.mark.parametrize("work", [replace(work, problems=2) for work in ALL if not work.sigma], ids=lambda w: w.name)
async def test_search_and_floor_send_the_same_requests(work: Work, server: Server, tmp_path: Path) -> None:
    server.behaviour.tells_stop = True
    results = await solved(work, work.names(0), server.url, 32, tmp_path / "run")
    sent = Counter(server.seen.asked)
    server.seen.asked.clear()
    done = await with_floor(server.url, 32, lambda client: floor(work, client, work.names(0), results))
    assert server.seen.asked == sent
    assert done == len([result for result in results if result.answer is not None]) == 2
    if work.leaves:
        assert [kept(result) for result in results] == [EXPANSIONS, EXPANSIONS]
