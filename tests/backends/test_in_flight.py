"""A sample that is in flight for one caller is waited for by all others: it is paid for once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from branchwise.orchestrator.backends.journalling import Journalled
from branchwise.orchestrator.core.draws import draw_key
from branchwise.orchestrator.core.errors import BackendError, NotOnRecord
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.journal.store import Journal

TWO = Request(prompt="p", n=2, seed=1)
FIRST, SECOND = replace(TWO, n=1), replace(TWO, n=1, seed=2)


class Held:
    """A model that answers its seeds once it is let; ``sent`` are all samples that were asked of it, by seed."""

    identity = Identity("m")

    def __init__(self, seeds_increment: bool = True) -> None:
        self.capabilities = Capabilities(seeds_increment=seeds_increment)
        self.sent: list[int] = []
        self.error: BackendError | None = None
        self._let = {seed: asyncio.Event() for seed in (1, 2)}

    def let(self, *seeds: int) -> None:
        for seed in seeds:
            self._let[seed].set()

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        assert request.seed is not None
        seeds = range(request.seed, request.seed + request.n)
        self.sent += seeds
        for seed in seeds:
            await self._let[seed].wait()
        if self.error is not None:
            raise self.error
        return tuple(Draw(f"sample {seed}", "end", Usage(1, 1, calls=1)) for seed in seeds)

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        return 1, True

    async def aclose(self) -> None:
        pass


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = Journal(None)
    yield opened
    opened.close()


async def settle() -> None:
    """Let everybody come as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def begun(model: Journalled, request: Request) -> asyncio.Task[tuple[Draw, ...]]:
    task = asyncio.create_task(model.generate(request))
    await settle()
    return task


def texts(draws: tuple[Draw, ...]) -> list[str]:
    return [draw.text for draw in draws]


async def test_a_draw_in_flight_is_waited_for(journal: Journal) -> None:
    raw = Held()
    model = Journalled(raw, journal)
    calls = [await begun(model, FIRST) for _ in range(3)]
    assert raw.sent == [1]
    raw.let(1)
    assert [texts(await call) for call in calls] == [["sample 1"]] * 3
    assert raw.sent == [1]


@pytest.mark.parametrize("in_one", [True, False])
async def test_two_equal_requests_for_two_pay_for_two(journal: Journal, in_one: bool) -> None:
    raw = Held(seeds_increment=in_one)
    model = Journalled(raw, journal)
    calls = [asyncio.create_task(model.generate(TWO)) for _ in range(2)]
    await settle()
    raw.let(1, 2)
    assert [texts(await call) for call in calls] == [["sample 1", "sample 2"]] * 2
    assert raw.sent == [1, 2]


async def test_who_waits_for_one_sample_finds_what_another_began_meanwhile(journal: Journal) -> None:
    raw = Held()
    model = Journalled(raw, journal)
    second = await begun(model, SECOND)
    both = await begun(model, TWO)
    first = await begun(model, FIRST)
    raw.let(2)
    await settle()
    later = await begun(model, FIRST)
    raw.let(1)
    assert texts(await both) == ["sample 1", "sample 2"]
    assert [texts(await one) for one in (first, later, second)] == [["sample 1"], ["sample 1"], ["sample 2"]]
    assert sorted(raw.sent) == [1, 2]


@pytest.mark.parametrize("turns", range(5))
async def test_a_call_that_was_cancelled_however_early_keeps_nobody_waiting(journal: Journal, turns: int) -> None:
    raw = Held(seeds_increment=False)
    model = Journalled(raw, journal)
    lost = asyncio.create_task(model.generate(TWO))
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting = asyncio.create_task(model.generate(TWO))
    lost.cancel()
    await settle()
    raw.let(1, 2)
    assert texts(await waiting) == ["sample 1", "sample 2"]
    assert lost.cancelled()
    assert model._in_flight == {}


async def test_who_gives_up_waiting_disturbs_nobody(journal: Journal) -> None:
    raw = Held()
    model = Journalled(raw, journal)
    first, impatient, patient = [await begun(model, FIRST) for _ in range(3)]
    impatient.cancel()
    await settle()
    raw.let(1)
    assert texts(await first) == texts(await patient) == ["sample 1"]
    assert raw.sent == [1]


async def test_a_failure_is_paid_for_once_and_heard_by_all(journal: Journal) -> None:
    raw = Held()
    raw.error = BackendError("broken")
    model = Journalled(raw, journal)
    calls = [await begun(model, TWO) for _ in range(2)]
    raw.let(1, 2)
    for call in calls:
        with pytest.raises(BackendError, match="broken"):
            await call
    assert raw.sent == [1, 2]
    stored = [journal.find(draw_key(raw.identity, TWO, k)) for k in range(2)]
    assert [(one.state, one.error) for one in stored if one is not None] == [("failed", "broken")] * 2


async def test_what_a_replay_lacks_keeps_nobody_waiting() -> None:
    journal = Journal(None, replay_only=True)
    model = Journalled(Held(), journal)
    for _ in range(2):
        with pytest.raises(NotOnRecord):
            await model.generate(TWO)
    journal.close()
