"""What transformers computes for a model: run by the Python that has it, texts in, numbers out, as JSON lists.

    python tests/vllm/reference.py FOLDER < texts.json

A model that writes gives the log-probabilities of the text's tokens. An outcome model gives one logit a text.
transformers knows no process reward model: its two layers are put on transformers' Qwen2 here, and give two logits a
step tag.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Qwen2Model,
)


def written(folder: Path, ids: torch.Tensor) -> list[float]:
    """[1, time] to the log-probabilities of all tokens but the first."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    logprobs = model(ids).logits[0, :-1].log_softmax(-1)
    told: list[float] = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
    return told


def outcome(folder: Path, ids: torch.Tensor) -> list[float]:
    """[1, time] to the one logit."""
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    logits: list[float] = model(ids).logits[0].tolist()
    return logits


def process(folder: Path, ids: torch.Tensor) -> list[list[float]]:
    """[1, time] to the logits (bad, good) at every tag."""
    tag = AutoConfig.from_pretrained(folder).step_tag_id
    weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    model = Qwen2Model.from_pretrained(folder, dtype=torch.float32)
    hidden = model(ids).last_hidden_state[0][ids[0] == tag]
    first = torch.relu(hidden @ weights["score.0.weight"].T + weights["score.0.bias"])
    logits: list[list[float]] = (first @ weights["score.2.weight"].T + weights["score.2.bias"]).tolist()
    return logits


COMPUTED: dict[str, Callable[[Path, torch.Tensor], Any]] = {
    "LlamaForCausalLM": written,
    "LlamaForSequenceClassification": outcome,
    "Qwen2ForProcessRewardModel": process,
}


def main() -> None:
    """Read texts, print numbers."""
    folder, texts = Path(sys.argv[1]), json.load(sys.stdin)
    tokenizer, (architecture,) = (
        AutoTokenizer.from_pretrained(folder),
        AutoConfig.from_pretrained(folder).architectures,
    )
    told = COMPUTED[architecture]
    with torch.no_grad():
        print(json.dumps([told(folder, tokenizer(text, return_tensors="pt")["input_ids"]) for text in texts]))


if __name__ == "__main__":
    main()
