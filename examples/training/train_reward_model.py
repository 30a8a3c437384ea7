"""Train the process reward model that judges each step of an arithmetic solution.

    python -m examples.training.train_reward_model --labels build/labels.jsonl \\
        --initial build/verifier/verifier.pt --out build/reward

1. A row of the labels file is {"problem": ..., "steps": [...], "labels": [...]}; a label is the share of
   continuations from the prefix ending with that step that reached the right answer (the last step: 0 or 1).
2. The text is the problem and every step, each ended by a newline. At the newline that ends a step the model
   learns to say `+` (the answer can still be reached) or `-` (it cannot); all other places are left out of
   the loss. So one pass labels all steps, and one token generated after a prefix gives its score,
   p(+) / (p(+) + p(-)).
3. Hard labels call a step good if any continuation succeeded; soft labels learn the share itself.
4. Training starts from the verifier of train_verifier.py, which already knows where mistakes hide.

Reference: Wang et al., "Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations",
2024, section 3.3 (hard and soft estimation).
"""

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from examples.training.batches import (
    IGNORED,
    NEGATIVE,
    POSITIVE,
    Batch,
    Row,
    reward_batches,
    reward_row,
    stack,
)
from examples.training.export import export
from examples.training.judging import auc, good_logits
from examples.training.labels import read_solutions
from examples.training.model import Decoder, Shape, deepened, load, save
from examples.training.optimising import add_arguments, begin, optimise

DEFAULT_STEPS = 300
SMOKE_STEPS = 20


def read_rows(path: Path, context: int) -> list[Row]:
    """The rows that the model can read; a solution with other characters or of more tokens is left out."""
    rows = []
    for solution in read_solutions(path):
        try:
            row = reward_row(solution.problem, solution.steps, solution.labels)
        except KeyError:
            continue
        if len(row.tokens) <= context:
            rows.append(row)
    return rows


def loss_of(logits: Tensor, batch: Batch, soft: bool) -> Tensor:
    """Cross entropy at the ends of steps; soft labels ask for the share of `+` that was seen."""
    judged = batch.targets != IGNORED
    if not soft:
        return F.cross_entropy(logits[judged], batch.targets[judged])
    chances = logits[judged].log_softmax(-1)
    share = batch.probabilities[judged]
    return -(share * chances[:, POSITIVE] + (1 - share) * chances[:, NEGATIVE]).mean()


@torch.no_grad()
def progress(model: Decoder, rows: list[Row]) -> str:
    """Step accuracy, F1 of finding bad steps, and the area under the curve of the last step's score."""
    batch = stack(rows)
    scores, judged = good_logits(model(batch.tokens)), batch.targets != IGNORED
    called_bad, bad = scores[judged] < 0, batch.targets[judged] == NEGATIVE
    hits, calls, all_bad = (float(which.sum()) for which in (called_bad & bad, called_bad, bad))
    f1 = 2 * hits / max(1.0, calls + all_bad)
    last = [len(row.tokens) - 1 for row in rows]
    ends = [
        (scores[index, end].item(), row.probabilities[end] > 0)
        for index, (end, row) in enumerate(zip(last, rows, strict=True))
    ]
    accuracy = (called_bad == bad).float().mean().item()
    return f"held out: step accuracy {accuracy:.3f}  bad-step F1 {f1:.3f}  answer AUC {auc(ends):.3f}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the arithmetic process reward model.")
    parser.add_argument("--labels", type=Path, required=True, help="JSON lines of labelled solutions")
    parser.add_argument("--initial", type=Path, help="weights to start from (verifier.pt); none for a fresh model")
    parser.add_argument("--extra-layers", type=int, default=0, help="layers put on top of the initial ones")
    parser.add_argument("--soft", action="store_true", help="learn the labels as shares instead of + or -")
    add_arguments(parser, DEFAULT_STEPS, rate=1e-4, fall_share=0.8, batch=32)
    parser.add_argument("--held-out", type=int, default=500, help="rows kept back to watch progress")
    return parser.parse_args()


def main() -> None:
    """Train, then write reward.pt, reward.gguf and reward/ under --out."""
    given = arguments()
    schedule = begin(given, SMOKE_STEPS)
    model = deepened(load(str(given.initial)) if given.initial else Decoder(Shape()), given.extra_layers)
    rows = read_rows(given.labels, model.shape.context)
    # The file lists all samples of a problem together, so the last rows are other problems than the first.
    kept = min(given.held_out, len(rows) // 5)
    held_out, rows = rows[len(rows) - kept :], rows[: len(rows) - kept]
    print(f"{len(rows)} solutions to learn from, {len(held_out)} held out", flush=True)
    spent = optimise(
        model,
        reward_batches(random.Random(given.seed), rows, given.batch),
        lambda batch: loss_of(model(batch.tokens), batch, given.soft),
        schedule,
        lambda step: progress(model, held_out),
    )
    save(model, str(given.out / "reward.pt"))
    export(model, given.out, "reward")
    print(spent)


if __name__ == "__main__":
    main()
