"""How well scores tell right from wrong: what the lessons of the reward model print as they go."""

from collections.abc import Sequence

import torch
from torch import Tensor

from examples.training.batches import NEGATIVE, POSITIVE


def good_logits(logits: Tensor) -> Tensor:
    """[batch, time]: the log-odds of `+` against `-` at every place."""
    return logits[..., POSITIVE] - logits[..., NEGATIVE]


def auc(scored: Sequence[tuple[float, bool]]) -> float:
    """Chance that a right one outscores a wrong one, ties counting half; 0.5 if either kind is missing."""
    right = torch.tensor([score for score, is_right in scored if is_right])
    wrong = torch.tensor([score for score, is_right in scored if not is_right])
    if not len(right) or not len(wrong):
        return 0.5
    above = (right[:, None] > wrong).float() + 0.5 * (right[:, None] == wrong).float()
    return above.mean().item()
