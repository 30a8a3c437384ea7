"""A small decoder of the Llama architecture in plain torch.

Shipped search examples need a language model that is a few megabytes, runs on one processor core and makes
mistakes that sampling can mend. This is that model: RMSNorm before each half of a layer, rotary positions,
SwiGLU, no biases, heads as wide as the common inference engines accept. About 0.85 million parameters.

Reference: Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023, section 2.2.
"""

from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.training.vocabulary import ARITHMETIC, Vocabulary
from examples.training.vocabulary import EOS as EOS
from examples.training.vocabulary import PAD as PAD

TOKEN_OF = ARITHMETIC.token_of
VOCABULARY = ARITHMETIC.tokens
encode, decode = ARITHMETIC.encode, ARITHMETIC.decode


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model; `hidden` is the inner width of the SwiGLU half."""

    layers: int = 4
    width: int = 128
    heads: int = 4
    hidden: int = 384
    context: int = 256
    rope_theta: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


class Attention(nn.Module):
    """Causal self-attention with rotary positions (rotate-half layout, as in Hugging Face checkpoints)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.k_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """[batch, time, width] to the same shape."""
        batch, time, width = x.shape
        split = (batch, time, self.shape.heads, self.shape.head_width)
        query, key, value = (
            projection(x).view(split).transpose(1, 2) for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, width))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """The SwiGLU half of a layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, time, width] to the same shape."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One decoder layer: attention, then feed-forward, each behind a norm and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.width, eps=shape.epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.width, eps=shape.epsilon)
        self.mlp = FeedForward(shape)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """[batch, time, width] to the same shape."""
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """The whole model; parameter names are those of Hugging Face's Llama less the leading `model.`."""

    def __init__(self, shape: Shape, vocabulary: Vocabulary = ARITHMETIC) -> None:
        super().__init__()
        self.shape, self.vocabulary = shape, vocabulary
        self.embed_tokens = nn.Embedding(len(vocabulary), shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=shape.epsilon)
        self.lm_head = nn.Linear(shape.width, len(vocabulary), bias=False)
        cosine, sine = rotations(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self.apply(_initialise)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [batch, time] to next-token logits [batch, time, vocabulary]."""
        return self.lm_head(self.norm(self.streams(tokens)[-1]))  # type: ignore[no-any-return]

    def streams(self, tokens: Tensor, layers: int | None = None) -> list[Tensor]:
        """The residual stream after each layer, or each of the first ``layers``: [batch, time, width] each."""
        time = tokens.shape[1]
        cosine, sine = self.get_buffer("cosine")[:time], self.get_buffer("sine")[:time]
        stream, after = self.embed_tokens(tokens), []
        for layer in self.layers[:layers]:
            stream = layer(stream, cosine, sine)
            after.append(stream)
        return after


def deepened(model: Decoder, extra_layers: int) -> Decoder:
    """The same function with more layers on top, which at first add next to nothing to the stream."""
    deeper = Decoder(replace(model.shape, layers=model.shape.layers + extra_layers), model.vocabulary)
    deeper.load_state_dict(model.state_dict(), strict=False)
    for layer in deeper.layers[model.shape.layers :]:
        nn.init.normal_(layer.get_parameter("self_attn.o_proj.weight"), std=0.02)
        nn.init.normal_(layer.get_parameter("mlp.down_proj.weight"), std=0.02)
    return deeper


def rotations(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each [context, head width]."""
    frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_width, 2).float() / shape.head_width)
    angles = torch.outer(torch.arange(shape.context).float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding of [batch, heads, time, head width]."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine


def save(model: Decoder, path: str) -> None:
    """Write shape, vocabulary and weights to one file."""
    characters = model.vocabulary.characters
    torch.save({"shape": asdict(model.shape), "characters": characters, "weights": model.state_dict()}, path)


def load(path: str) -> Decoder:
    """The model that `save` wrote."""
    stored = torch.load(path, weights_only=True)
    model = Decoder(Shape(**stored["shape"]), Vocabulary(stored.get("characters", ARITHMETIC.characters)))
    model.load_state_dict(stored["weights"])
    return model


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
