"""What transformers computes for a reward head: run by the Python that has it, texts in, logits out, as JSON lists.

    python tests/vllm/reference.py FOLDER < texts.json

An outcome model gives one number a text. transformers knows no process reward model: its two layers are put on
transformers' Qwen2 here, and give two numbers a step tag.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, Qwen2Model


def outcome(folder: Path, ids: torch.Tensor) -> list[float]:
    """[1, time] to the one logit."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    logits: list[float] = model(ids).logits[0].tolist()
    return logits


def process(folder: Path, ids: torch.Tensor, tag: int) -> list[list[float]]:
    """[1, time] to the logits (bad, good) at every tag."""
    weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    model = Qwen2Model.from_pretrained(folder, dtype=torch.float32)
    hidden = model(ids).last_hidden_state[0][ids[0] == tag]
    first = torch.relu(hidden @ weights["score.0.weight"].T + weights["score.0.bias"])
    logits: list[list[float]] = (first @ weights["score.2.weight"].T + weights["score.2.bias"]).tolist()
    return logits


def main() -> None:
    """Read texts, print logits."""
    folder, texts = Path(sys.argv[1]), json.load(sys.stdin)
    config, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    tag = getattr(config, "step_tag_id", None)
    found: list[Any] = []
    with torch.no_grad():
        for text in texts:
            ids = tokenizer(text, return_tensors="pt")["input_ids"]
            found.append(outcome(folder, ids) if tag is None else process(folder, ids, tag))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
