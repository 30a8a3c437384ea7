"""Train the outcome model and the process model of arithmetic solutions, from the shipped label-token model.

    python -m examples.training.train_heads --head outcome --labels build/labels.jsonl --out build/outcome
    python -m examples.training.train_heads --head process --labels build/labels.jsonl --out build/process

1. The rows are those of the label-token model: solutions of training problems that the policy wrote, with the share
   of continuations from each step that reached the right answer.
2. The outcome model learns from the last label alone: was the answer right? The process model learns at every
   step's tag whether any continuation succeeded (Math-Shepherd's hard estimation).
3. Both begin as the label-token model (heads.py says how); the loss is the cross entropy of right against wrong.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from examples.training.batches import IGNORED, Batch, Row, reward_batches, stack
from examples.training.export_heads import export_head
from examples.training.heads import HEADS, TAG, TAGGED, Head, OutcomeModel
from examples.training.importing import read_hugging_face
from examples.training.judging import auc
from examples.training.labels import LabelledSolution, read_solutions
from examples.training.optimising import add_arguments, begin, optimise
from examples.training.vocabulary import ARITHMETIC

INITIAL = Path(__file__).resolve().parents[2] / "tasks" / "arithmetic" / "models" / "prm"
DEFAULT_STEPS = 300
SMOKE_STEPS = 5


def row_of(head: Head, problem: str, steps: Sequence[str], labels: Sequence[float]) -> Row:
    """Tokens, and the target 1 (good) or 0 (bad) where the head is read; KeyError for an unknown character."""
    tokens = head.vocabulary.encode(head.text(problem, steps))
    targets = [IGNORED] * len(tokens)
    for place, label in zip(
        places(head, tokens), labels[-1:] if isinstance(head, OutcomeModel) else labels, strict=True
    ):
        targets[place] = int(label > 0)
    return Row(tokens, targets, [0.0] * len(tokens))


def places(head: Head, tokens: Sequence[int]) -> list[int]:
    """Where the head is read: the last token, or every tag."""
    if isinstance(head, OutcomeModel):
        return [len(tokens) - 1]
    return [place for place, token in enumerate(tokens) if token == TAGGED.token_of[TAG]]


def rows_of(head: Head, solutions: Sequence[LabelledSolution]) -> list[Row]:
    """The rows that the model can read; a solution with other characters or of more tokens is left out."""
    known = set(ARITHMETIC.characters)
    rows = [row_of(head, s.problem, s.steps, s.labels) for s in solutions if set("".join(s.steps)) <= known]
    return [row for row in rows if len(row.tokens) <= head.model.shape.context]


def loss_of(head: Head, batch: Batch) -> Tensor:
    """Mean cross entropy where the head is read."""
    judged = batch.targets != IGNORED
    return F.binary_cross_entropy_with_logits(head(batch.tokens)[judged], batch.targets[judged].float())


@torch.no_grad()
def progress(head: Head, rows: Sequence[Row]) -> str:
    """Loss, accuracy and area under the curve on rows that were held out."""
    batch = stack(rows)
    judged = batch.targets != IGNORED
    scores, good = head(batch.tokens)[judged], batch.targets[judged] == 1
    loss = F.binary_cross_entropy_with_logits(scores, good.float()).item()
    area = auc(list(zip(scores.tolist(), good.tolist(), strict=True)))
    return f"held out: loss {loss:.4f}  accuracy {((scores > 0) == good).float().mean().item():.3f}  AUC {area:.3f}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a reward head for arithmetic solutions.")
    parser.add_argument("--head", choices=list(HEADS), required=True, help="a number a solution, or one a step")
    parser.add_argument("--labels", type=Path, required=True, help="JSON lines of labelled solutions")
    parser.add_argument("--initial", type=Path, default=INITIAL, help="Hugging Face folder of the label-token model")
    add_arguments(parser, DEFAULT_STEPS, rate=1e-4, fall_share=0.8, batch=32)
    parser.add_argument("--held-out", type=int, default=500, help="rows kept back to watch progress")
    return parser.parse_args()


def main() -> None:
    """Train, then write the Hugging Face folder --out."""
    given = arguments()
    schedule = begin(given, SMOKE_STEPS)
    head = HEADS[given.head](read_hugging_face(given.initial))
    rows = rows_of(head, list(read_solutions(given.labels)))
    kept = min(given.held_out, len(rows) // 5)  # the last rows are other problems than the first
    held_out, rows = rows[len(rows) - kept :], rows[: len(rows) - kept]
    print(
        f"{len(rows)} solutions to learn from, {len(held_out)} held out; before: {progress(head, held_out)}",
        flush=True,
    )
    batches = reward_batches(random.Random(given.seed), rows, given.batch)
    spent = optimise(
        head, batches, lambda batch: loss_of(head, batch), schedule, lambda step: progress(head, held_out)
    )
    export_head(head, given.out)
    print(spent)


if __name__ == "__main__":
    main()
