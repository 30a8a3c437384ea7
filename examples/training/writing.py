"""Texts written by a model in torch: many prompts at once, to watch progress or to make training data.

Prompts of one length are written together; each pass reads the whole text again, which for texts of a hundred
characters costs less than keeping the layers' memory would take in code.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from examples.training.model import Decoder
from examples.training.vocabulary import EOS

_AT_ONCE = 256


@torch.no_grad()
def write(model: Decoder, prompts: Sequence[str], max_tokens: int, temperature: float = 1.0) -> list[str]:
    """What the model writes after each prompt, up to its end or `max_tokens`; temperature 0 is greedy."""
    of_length: dict[int, list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        of_length[len(prompt)].append(place)
    texts = [""] * len(prompts)
    for places in of_length.values():
        for begin in range(0, len(places), _AT_ONCE):
            some = places[begin : begin + _AT_ONCE]
            tokens = torch.tensor([model.vocabulary.encode(prompts[place]) for place in some])
            for place, text in zip(some, _continued(model, tokens, max_tokens, temperature), strict=True):
                texts[place] = text
    return texts


def _continued(model: Decoder, tokens: Tensor, max_tokens: int, temperature: float) -> list[str]:
    prompt_length = tokens.shape[1]
    ended = torch.zeros(len(tokens), dtype=torch.bool)
    for _ in range(min(max_tokens, model.shape.context - prompt_length)):
        following = torch.full((len(tokens),), EOS)
        following[~ended] = _drawn(model(tokens[~ended])[:, -1], temperature)
        tokens = torch.cat([tokens, following[:, None]], dim=1)
        ended |= following == EOS
        if ended.all():
            break
    return [model.vocabulary.decode(row) for row in tokens[:, prompt_length:].tolist()]


def _drawn(logits: Tensor, temperature: float) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial((logits / temperature).softmax(-1), 1).squeeze(1)
