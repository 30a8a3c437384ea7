"""Write a reward head as a Hugging Face folder, which vLLM serves with `--runner pooling`.

1. Outcome model: LlamaForSequenceClassification with one label; transformers reads it too.
2. Process model: the layout of Qwen2.5-Math-PRM. Its attention has biases, which are zero here. The step tag's
   number is written into the configuration, for `--pooler-config '{"step_tag_id": ...}'`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from examples.training.export import configuration, write_json, write_tokenizer
from examples.training.heads import TAG, TAGGED, Head, OutcomeModel

_BIASED = ("q_proj", "k_proj", "v_proj")


def export_head(head: Head, folder: Path) -> None:
    """Write weights (half precision), configuration and tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach() for name, value in head.state_dict().items() if "lm_head" not in name}
    config = configuration(head.model.shape, len(head.vocabulary))
    if isinstance(head, OutcomeModel):
        config |= {"architectures": ["LlamaForSequenceClassification"], "num_labels": 1}
        config |= {"id2label": {"0": "right"}, "label2id": {"right": 0}}
    else:
        weights |= _biases(weights)
        config |= {"architectures": ["Qwen2ForProcessRewardModel"], "model_type": "qwen2", "num_labels": 2}
        config |= {"id2label": {"0": "bad", "1": "good"}, "label2id": {"bad": 0, "good": 1}}
        config |= {"step_tag": TAG, "step_tag_id": TAGGED.token_of[TAG]}
    halves = {name: value.to(torch.float16).contiguous() for name, value in weights.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", config)
    write_tokenizer(head.vocabulary, head.model.shape.context, folder, head.chat_template)


def _biases(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Zeros for the query, key and value projections."""
    rows = {name: len(value) for name, value in weights.items() if name.split(".")[-2] in _BIASED}
    return {name.removesuffix("weight") + "bias": torch.zeros(length) for name, length in rows.items()}
