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
from examples.training.labels import read_solutions
from examples.training.model import Decoder, Shape, deepened, load, save
from examples.training.optimising import Schedule, optimise

DEFAULT_STEPS = 3000
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


def good_logits(logits: Tensor) -> Tensor:
    """[batch, time]: the log-odds of `+` against `-` at every place."""
    return logits[..., POSITIVE] - logits[..., NEGATIVE]


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


def auc(scored: list[tuple[float, bool]]) -> float:
    """Chance that a right one outscores a wrong one, ties counting half; 0.5 if either kind is missing."""
    right = torch.tensor([score for score, is_right in scored if is_right])
    wrong = torch.tensor([score for score, is_right in scored if not is_right])
    if not len(right) or not len(wrong):
        return 0.5
    above = (right[:, None] > wrong).float() + 0.5 * (right[:, None] == wrong).float()
    return above.mean().item()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the arithmetic process reward model.")
    parser.add_argument("--labels", type=Path, required=True, help="JSON lines of labelled solutions")
    parser.add_argument("--initial", type=Path, help="weights to start from (verifier.pt); none for a fresh model")
    parser.add_argument("--extra-layers", type=int, default=0, help="layers put on top of the initial ones")
    parser.add_argument("--soft", action="store_true", help="learn the labels as shares instead of + or -")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="optimiser steps")
    parser.add_argument("--seconds", type=float, default=0.0, help="wall-clock limit, 0 for none")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held-out", type=int, default=500, help="rows kept back to watch progress")
    parser.add_argument("--report-every", type=int, default=100)
    parser.add_argument("--smoke", action="store_true", help="a run of half a minute that learns little")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Train, then write reward.pt, reward.gguf and reward/ under --out."""
    given = arguments()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    model = deepened(load(str(given.initial)) if given.initial else Decoder(Shape()), given.extra_layers)
    rows = read_rows(given.labels, model.shape.context)
    # The file lists all samples of a problem together, so the last rows are other problems than the first.
    kept = min(given.held_out, len(rows) // 5)
    held_out, rows = rows[len(rows) - kept :], rows[: len(rows) - kept]
    print(f"{len(rows)} solutions to learn from, {len(held_out)} held out", flush=True)
    steps = SMOKE_STEPS if given.smoke else given.steps
    schedule = Schedule(steps, given.seconds, given.rate, report_every=given.report_every)
    spent = optimise(
        model,
        reward_batches(random.Random(given.seed), rows, given.batch),
        lambda batch: loss_of(model(batch.tokens), batch, given.soft),
        schedule,
        lambda step: progress(model, held_out),
    )
    given.out.mkdir(parents=True, exist_ok=True)
    save(model, str(given.out / "reward.pt"))
    export(model, given.out, "reward")
    print(f"{spent.steps} steps, {spent.wall_seconds:.0f} s wall, {spent.cpu_seconds:.0f} s of processor time")


if __name__ == "__main__":
    main()
