"""The backend ``openai`` against llama.cpp's own HTTP server, with the small arithmetic policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from branchwise.orchestrator.backends.openai import Options, build
from branchwise.orchestrator.core.errors import ContextOverflow
from branchwise.orchestrator.core.request import Progress, Request

pytestmark = pytest.mark.live
MODEL = Path(__file__).parents[2] / "tasks" / "arithmetic" / "models" / "policy.gguf"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(MODEL)
    params.n_parallel = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server  # it listens for as long as it lives


@pytest.mark.parametrize("streaming", [True, False])
async def test_calls_one_after_another_over_connections_that_it_drops(url: str, streaming: bool) -> None:
    backend, progress = build(Options(url=url, model="policy", streaming=streaming)), Progress()
    for seed in range(10):
        request = Request(prompt="3+4*2=", max_tokens=12, n=2, seed=seed, logprobs=1, stop=("\n",), keep_stop=True)
        draws = await backend.generate(request, progress)
        assert len(draws) == 2
        assert all(draw.text.endswith("\n") or draw.finish != "stop" for draw in draws)
    with pytest.raises(ContextOverflow):
        await backend.generate(Request(prompt="1+1=" * 20_000, max_tokens=1))
    await backend.aclose()
    assert progress.usage.calls == 10
    assert progress.usage.exact
