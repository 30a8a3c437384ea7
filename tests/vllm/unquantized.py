"""A GGUF as a folder that vLLM serves: run by the Python of vLLM's environment, which has gguf and accelerate.

1. transformers reads the weights back from their quantized form, and the tokenizer with its chat template.
2. They become those of a plain model in bfloat16: vLLM would take what says that it was quantized for a GGUF.
3. A folder that is complete is put in place at once, so that whatever interrupts this, there is a whole one or none.

    python tests/vllm/unquantized.py MODEL.gguf FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def convert(gguf: Path, folder: Path) -> None:
    """Write the folder."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
    del read.config.quantization_config
    plain = type(read)(read.config).to(torch.bfloat16)
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """Convert into a folder beside the target, and put it in place."""
    gguf, target = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        convert(gguf, Path(scratch, "model"))
        Path(scratch, "model").rename(target)


if __name__ == "__main__":
    main()
