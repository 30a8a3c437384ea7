"""The model that learns to spot mistakes: the policy with new layers on top, and a lesson for every depth.

A mistake is seen by comparing what was written with what the policy would have written. The policy's last layer
knows that one character too early, so the comparison needs layers above it:

1. The policy's own layers go on learning to write (their head stays where it was). Without this they forget
   arithmetic before the new layers have learned to use it.
2. The first new layer spots the wrong character. A head that looks one character back is put there to begin
   with: found by chance, it costs more updates than all the rest (tried: nothing was recognised in 400 updates
   that brought the area under the curve to 0.74 with it).
3. The last layer gives the verdict on all that is written so far. It is what the reward model keeps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from examples.training.batches import IGNORED, NEGATIVE, POSITIVE
from examples.training.mistakes import MarkedBatch
from examples.training.model import PAD, VOCABULARY, Decoder, deepened, rotate

SHARPNESS = 6.0
FREQUENCIES = 3


class Pupil(nn.Module):
    """A deepened policy with the heads of the two lessons that are left behind when it has learned."""

    def __init__(self, policy: Decoder, extra_layers: int) -> None:
        super().__init__()
        shape = policy.shape
        self.verifier = deepened(policy, extra_layers)
        self.depth = shape.layers
        self.writing = nn.Sequential(policy.norm, policy.lm_head)
        self.spotting = nn.Sequential(
            nn.RMSNorm(shape.width, eps=shape.epsilon), nn.Linear(shape.width, len(VOCABULARY))
        )

    def writing_loss(self, batch: MarkedBatch) -> Tensor:
        """The first lesson alone; the new layers take no part."""
        return entropy(self.writing(self.verifier.streams(batch.tokens, self.depth)[-1]), batch.following)

    def loss(self, batch: MarkedBatch) -> Tensor:
        """The sum of the three lessons' mean cross entropies."""
        streams = self.verifier.streams(batch.tokens)
        return (
            entropy(self.writing(streams[self.depth - 1]), batch.following)
            + balanced(self.spotting(streams[self.depth]), batch.characters)
            + entropy(self.verifier.lm_head(self.verifier.norm(streams[-1])), batch.verdicts)
        )

    @torch.no_grad()
    def look_back(self, batch: MarkedBatch) -> None:
        """Give the first new layer a head that brings along what was due: the policy's logits, one place earlier.

        Its query and key say a constant (least squares over the streams of ``batch``), turned against each other
        by one position in the highest of the rotary frequencies.
        """
        layer, shape = self.verifier.layers[self.depth], self.verifier.shape
        attention = layer.get_submodule("self_attn")
        stream = layer.get_submodule("input_layernorm")(self.verifier.streams(batch.tokens)[self.depth - 1])
        stream = stream[batch.tokens != PAD]
        constant = torch.linalg.lstsq(stream, torch.ones(len(stream), 1)).solution.squeeze(1)
        asked = torch.zeros(shape.head_width)
        asked[:FREQUENCIES] = SHARPNESS
        offered = rotate(asked, self.verifier.get_buffer("cosine")[1], self.verifier.get_buffer("sine")[1])
        head = slice(0, shape.head_width)
        attention.get_parameter("q_proj.weight")[head] = torch.outer(asked, constant)
        attention.get_parameter("k_proj.weight")[head] = torch.outer(offered, constant)
        logits = self.writing[1].weight * self.writing[0].weight
        attention.get_parameter("v_proj.weight")[: len(logits)] = logits
        nn.init.normal_(attention.get_parameter("o_proj.weight")[:, head], std=0.1)


def entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy over the targets that count."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def balanced(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy in which right and wrong weigh the same: one character in thirty is wrong."""
    return torch.stack([entropy(logits, targets.where(targets == label, IGNORED)) for label in (POSITIVE, NEGATIVE)
                        if (targets == label).any()]).mean()  # fmt: skip
