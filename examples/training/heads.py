"""The process reward model with a number at its end instead of a label: an outcome model and a process model.

Both begin as the same function as the label-token model they start from: its log-odds of `+` against `-`. Training
then turns the outcome model from "every step is right so far" to "the answer is right", and gives the process
model's hidden layer work of its own.

1. Outcome model, LlamaForSequenceClassification: one linear row without bias, read at the last token of problem
   and solution. The row begins as the difference of the two labels' rows.
2. Process model, Qwen2ForProcessRewardModel: two linear layers with a ReLU between, logits (bad, good), read at a
   tag that stands where a step's newline stood and begins with the newline's embedding. Units 0 and 1 of the
   hidden layer begin as plus and minus the log-odds, since a - b = relu(a - b) - relu(b - a).

References: Cobbe et al., "Training Verifiers to Solve Math Word Problems", 2021 (outcome models); Zhang et al., "The
Lessons of Developing Process Reward Models in Mathematical Reasoning", 2025, section 2 (the process layout).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from examples.training.batches import NEGATIVE, POSITIVE
from examples.training.export import CHAT_TEMPLATE
from examples.training.model import Decoder
from examples.training.vocabulary import ARITHMETIC, Vocabulary

Kind = Literal["outcome", "process"]

TAG = "#"
TAGGED = Vocabulary(ARITHMETIC.characters + TAG)


class OutcomeModel(nn.Module):
    """One number a text, larger for right answers."""

    vocabulary = ARITHMETIC
    chat_template = "{% for m in messages %}{{ m.content | trim }}\n{% endfor %}"

    def __init__(self, labelling: Decoder) -> None:
        super().__init__()
        self.model = labelling
        self.score = nn.Linear(labelling.shape.width, 1, bias=False)
        with torch.no_grad():
            self.score.weight.copy_(log_odds_row(labelling))

    def forward(self, tokens: Tensor) -> Tensor:
        """[batch, time] to the score at every token, [batch, time]; the one that counts is at the last."""
        return self.score(last_stream(self.model, tokens)).squeeze(-1)  # type: ignore[no-any-return]

    @staticmethod
    def text(problem: str, steps: Sequence[str]) -> str:
        """The problem and every step, each ended by a newline."""
        return "".join(f"{line}\n" for line in (problem, *steps))


class ProcessModel(nn.Module):
    """Two numbers a step tag: logits of a bad and of a good step."""

    vocabulary = TAGGED
    chat_template = CHAT_TEMPLATE

    def __init__(self, labelling: Decoder) -> None:
        super().__init__()
        width = labelling.shape.width
        self.model = with_tag(labelling)
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
        row, first, last = log_odds_row(labelling), self.score[0], self.score[2]
        with torch.no_grad():
            first.weight[:2] = torch.cat([row, -row])
            last.weight.normal_(std=0.01)
            last.weight[:, :2] = torch.tensor([[-0.5, 0.5], [0.5, -0.5]])
            first.bias.zero_()
            last.bias.zero_()

    def forward(self, tokens: Tensor) -> Tensor:
        """[batch, time] to the log-odds of good against bad at every token, [batch, time]; only tags count."""
        logits = self.score(last_stream(self.model, tokens))
        return logits[..., 1] - logits[..., 0]  # type: ignore[no-any-return]

    @staticmethod
    def text(problem: str, steps: Sequence[str]) -> str:
        """The problem and a newline, then every step with a tag behind it."""
        return f"{problem}\n" + "".join(f"{step}{TAG}" for step in steps)


Head = OutcomeModel | ProcessModel
HEADS: dict[Kind, type[Head]] = {"outcome": OutcomeModel, "process": ProcessModel}


def last_stream(model: Decoder, tokens: Tensor) -> Tensor:
    """[batch, time] to [batch, time, width]: what the label's head would read."""
    return model.norm(model.streams(tokens)[-1])  # type: ignore[no-any-return]


def log_odds_row(labelling: Decoder) -> Tensor:
    """[1, width]: its product with the last stream is the log-odds of `+` against `-`."""
    rows = labelling.lm_head.weight.detach()
    return rows[POSITIVE : POSITIVE + 1] - rows[NEGATIVE : NEGATIVE + 1]


def with_tag(model: Decoder) -> Decoder:
    """The same model that knows one more token, the tag, which begins as the newline."""
    wider = Decoder(model.shape, TAGGED)
    weights = model.state_dict()
    newline = ARITHMETIC.token_of["\n"]
    for name in ("embed_tokens.weight", "lm_head.weight"):
        weights[name] = torch.cat([weights[name], weights[name][newline : newline + 1]])
    wider.load_state_dict(weights)
    return wider
