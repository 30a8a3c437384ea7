"""Write a trained model in two forms: a GGUF file (llama.cpp) and a Hugging Face folder (vLLM, transformers).

1. The tokenizer is a byte-level BPE whose vocabulary holds single characters and which merges nothing, so
   every engine splits a text into its characters. Byte-level BPE writes newline and space as letters of their own.
2. llama.cpp refuses an empty list of merges: the file carries one merge of letters outside the vocabulary.
3. llama.cpp rotates neighbouring pairs where Hugging Face rotates halves, so the rows of the query and key
   projections are reordered for GGUF.
4. Matrices are written to GGUF as Q8_0: llama.cpp then computes a draw bit for bit alike whatever else is in
   its batch, which it does not for half precision, and same seed must mean same text.
5. No token is put before a text, in either form; generation ends at the end-of-sequence token.
6. The chat template of the Hugging Face folder lets the model be served to chats: it adds nothing to the plain text.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from examples.training.model import Decoder, Shape
from examples.training.vocabulary import BOS, EOS, PAD, SPECIALS, Vocabulary

_Q8 = gguf.GGMLQuantizationType.Q8_0
_LETTERS = {"\n": "\u010a", " ": "\u0120"}
CHAT_TEMPLATE = "{% for m in messages %}{{ m.content }}{{ '\\n' if m.role != 'assistant' else '' }}{% endfor %}"
"""A chat is read as the plain text: the problem, a newline, and what was written so far."""
_UNUSED_MERGE = "\u00ff \u00fe"
_GGUF_LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def export(model: Decoder, folder: Path, name: str, task: str = "arithmetic") -> None:
    """Write `folder/name.gguf` and the Hugging Face folder `folder/name/` (half precision)."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.detach().contiguous() for key, value in model.state_dict().items()}
    title = f"branchwise {task} {name}"
    write_gguf(weights, model.shape, model.vocabulary, folder / f"{name}.gguf", title)
    write_hugging_face(weights, model.shape, model.vocabulary, folder / name)


def write_gguf(weights: dict[str, Tensor], shape: Shape, vocabulary: Vocabulary, path: Path, title: str) -> None:
    """Write the file llama.cpp loads."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(title)
    writer.add_license("Apache-2.0")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(len(vocabulary))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    _add_tokenizer(writer, vocabulary)
    for key, value in weights.items():
        array = _gguf_array(key, value, shape)
        if array.ndim > 1:
            writer.add_tensor(gguf_name(key), gguf.quants.quantize(array, _Q8), raw_dtype=_Q8)
        else:
            writer.add_tensor(gguf_name(key), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(key: str) -> str:
    """The name of a weight in a GGUF file."""
    outer = {"embed_tokens.weight": "token_embd", "norm.weight": "output_norm", "lm_head.weight": "output"}
    if key in outer:
        return f"{outer[key]}.weight"
    _, index, rest = key.removesuffix(".weight").split(".", 2)
    return f"blk.{index}.{_GGUF_LAYER_NAMES[rest]}.weight"


def paired(weight: Tensor, heads: int) -> Tensor:
    """Rows of a query or key projection, from halves to neighbouring pairs."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def write_hugging_face(weights: dict[str, Tensor], shape: Shape, vocabulary: Vocabulary, folder: Path) -> None:
    """Write the weights, the configuration and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {key if key.startswith("lm_head") else f"model.{key}": _rounded(value) for key, value in weights.items()}
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", configuration(shape, len(vocabulary)))
    generation = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    write_json(folder / "generation_config.json", generation)
    write_tokenizer(vocabulary, shape.context, folder)


def write_tokenizer(vocabulary: Vocabulary, context: int, folder: Path, chat_template: str = CHAT_TEMPLATE) -> None:
    """Write the tokenizer of single characters and how a chat becomes a text."""
    write_json(folder / "tokenizer.json", _tokenizer(vocabulary))
    named = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "pad_token": SPECIALS[PAD],
        "bos_token": SPECIALS[BOS],
        "eos_token": SPECIALS[EOS],
        "chat_template": chat_template,
    }
    write_json(folder / "tokenizer_config.json", named)


def write_json(path: Path, content: dict[str, object]) -> None:
    """Write a file that reads well in a diff."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=True) + "\n")


def _rounded(value: Tensor) -> Tensor:
    return value.to(torch.float16)


def _gguf_array(key: str, value: Tensor, shape: Shape) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    if key.endswith(("q_proj.weight", "k_proj.weight")):
        value = paired(value, shape.heads)
    # Rounded first, so that both forms start from the same numbers.
    return _rounded(value).float().numpy()


def _letters(vocabulary: Vocabulary) -> list[str]:
    return [_LETTERS.get(token, token) for token in vocabulary.tokens]


def _add_tokenizer(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    control, normal = int(gguf.TokenType.CONTROL), int(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(_letters(vocabulary))
    writer.add_token_types([control if token in SPECIALS else normal for token in vocabulary.tokens])
    writer.add_token_merges([_UNUSED_MERGE])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)


def configuration(shape: Shape, vocabulary_size: int) -> dict[str, object]:
    """What Hugging Face's configuration of a Llama decoder says."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary_size,
        "hidden_size": shape.width,
        "intermediate_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.rope_theta,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "dtype": "float16",
        "torch_dtype": "float16",
    }


def _tokenizer(vocabulary: Vocabulary) -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": index, "content": token, **flags} for index, token in enumerate(SPECIALS)],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": False,
            "use_regex": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": False,
            "use_regex": False,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(_letters(vocabulary))},
            "merges": [],
        },
    }
