"""Read back a model from the Hugging Face folder that export.py wrote: what shipped weights are trained on from."""

import json
from pathlib import Path

from safetensors.torch import load_file

from examples.training.model import Decoder, Shape
from examples.training.vocabulary import SPECIALS, Vocabulary

_CHARACTERS = {"\u010a": "\n", "\u0120": " "}


def read_hugging_face(folder: Path) -> Decoder:
    """The decoder in single precision, with its own shape and vocabulary."""
    config = json.loads((folder / "config.json").read_text())
    shape = Shape(
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        hidden=config["intermediate_size"],
        context=config["max_position_embeddings"],
        rope_theta=config["rope_theta"],
        epsilon=config["rms_norm_eps"],
    )
    model = Decoder(shape, read_vocabulary(folder / "tokenizer.json"))
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): value.float() for name, value in weights.items()})
    return model


def read_vocabulary(path: Path) -> Vocabulary:
    """The characters of a tokenizer file, in the order of their tokens."""
    numbers: dict[str, int] = json.loads(path.read_text())["model"]["vocab"]
    letters = sorted(numbers, key=numbers.__getitem__)[len(SPECIALS) :]
    return Vocabulary("".join(_CHARACTERS.get(letter, letter) for letter in letters))
