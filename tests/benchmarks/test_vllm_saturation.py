"""The benchmark of saturation says so where it can't measure, as does examples/gpu_check.py."""

from __future__ import annotations

import pytest

from examples import gpu_check
from tests.benchmarks import vllm_saturation
from tests.vllm.server import free_port
from tests.vllm_like import VLLMLike


@pytest.mark.parametrize("program", [vllm_saturation, gpu_check])
def test_no_server(program: object, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setattr("sys.argv", ["program", "--url", f"http://{address}/v1", "--model", "m", "--problems", "2"])
    with pytest.raises(SystemExit, match=f"{address}.*(refused|Cannot connect)"):
        program.main()  # type: ignore[attr-defined]


async def test_a_search_whose_calls_are_refused() -> None:
    async with VLLMLike(script=lambda body, k: ()) as server:
        server.script = None  # type: ignore[assignment]
        plan = vllm_saturation.Plan(server.url, "m", "beam", problems=2, at_once=2, max_tokens=8)
        with pytest.raises(SystemExit, match=r"beam: \d+ calls failed, the first: .*500"):
            await vllm_saturation.searched(plan, 0)
