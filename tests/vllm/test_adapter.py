"""LoRA adapters on a real server: loaded before the first call, used in their role, and taken away at the end."""

from __future__ import annotations

import json
import random
import struct
import urllib.request
from pathlib import Path

import pytest

from branchwise.orchestrator.backends.vllm_options import Adapter
from branchwise.orchestrator.backends.vllm_server import Options, build
from branchwise.orchestrator.core.request import Request
from tests.vllm.server import Server

RANK = 8
ASKED = Request(prompt="47+38*3-95\n47+38=85\n", max_tokens=1, temperature=0.0, logprobs=18)


def write_adapter(folder: Path, model: Path, scale: float) -> None:
    """An adapter of every query projection, in the format of peft; with a scale of 0 it changes nothing."""
    config = json.loads((model / "config.json").read_text())
    size, rng = config["hidden_size"], random.Random(0)
    shapes = {
        f"base_model.model.model.layers.{layer}.self_attn.q_proj.lora_{name}.weight": shape
        for layer in range(config["num_hidden_layers"])
        for name, shape in {"A": (RANK, size), "B": (size, RANK)}.items()
    }
    header, data = {}, b""
    for name, (rows, columns) in shapes.items():
        deviation = scale if "lora_B" in name else 1.0
        numbers = struct.pack(f"<{rows * columns}f", *(rng.gauss(0, 1) * deviation for _ in range(rows * columns)))
        header[name] = {
            "dtype": "F32",
            "shape": [rows, columns],
            "data_offsets": [len(data), len(data) + len(numbers)],
        }
        data += numbers
    head = json.dumps(header).encode()
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    form = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(form))


def served(server: Server) -> set[str]:
    with urllib.request.urlopen(f"{server.url}/models", timeout=10) as answer:
        return {model["id"] for model in json.loads(answer.read())["data"]}


async def chances(server: Server, adapter: Adapter | None) -> dict[str, float]:
    backend = build(Options(url=server.url, model=server.name, adapter=adapter))
    try:
        (draw,) = await backend.generate(ASKED)
        assert adapter is None or adapter.name in served(server)
        return dict(draw.logprobs[0].top)
    finally:
        await backend.aclose()


async def test_an_adapter_answers_in_its_role_and_is_taken_away(
    spare: Server, note: list[str], tmp_path: Path
) -> None:
    for name, scale in {"idle": 0.0, "turned": 0.3}.items():
        write_adapter(tmp_path / name, spare.folder, scale)
    plain = await chances(spare, None)
    idle = await chances(spare, Adapter(name="idle", path=str(tmp_path / "idle")))
    turned = await chances(spare, Adapter(name="turned", path=str(tmp_path / "turned")))
    assert idle == pytest.approx(plain, abs=1e-4)
    changed = max(abs(turned[token] - plain[token]) for token in plain)
    assert changed > 0.01
    assert served(spare) == {spare.name}
    note.append(f"a LoRA adapter, loaded and unloaded in mid-run, changes a log-probability by {changed:.2f}")
