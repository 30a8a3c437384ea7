"""Train the small policy that writes arithmetic chains out step by step.

    python -m examples.training.train_policy --out build/policy

The model is stopped while it still errs: a policy that is always right leaves nothing for a search to do, one
that is never right gives a verifier nothing to prefer. Progress is watched on a fixed draw of training-side
problems, so that evaluation problems play no part in the choice of when to stop. As a problem has one true
text, one forward pass gives both figures of a problem: greedy decoding solves it if the true token is the
likeliest at every place, and a sample at temperature 1 is right with the product of the true tokens' chances.
"""

import argparse
import random
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from branchwise.tasks.arithmetic.generator import MAX_STEPS, training_chain
from examples.training.batches import IGNORED, Batch, policy_batches, policy_row, stack
from examples.training.export import export
from examples.training.model import Decoder, Shape, save
from examples.training.optimising import Schedule, optimise

DEFAULT_STEPS = 1200
SMOKE_STEPS = 10


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """Mean cross entropy over the solutions' tokens."""
    return F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)


class Success(NamedTuple):
    """Shares of problems solved by greedy decoding, by one sample, and by at least one of 16 samples."""

    greedy: float
    sample: float
    pass_at_16: float


@torch.no_grad()
def success(model: Decoder, batch: Batch) -> Success:
    """The three shares over the problems of a batch, from one forward pass."""
    chances = model(batch.tokens).log_softmax(-1)
    counted = batch.targets != IGNORED
    greedy = ((chances.argmax(-1) == batch.targets) | ~counted).all(1).float().mean()
    of_target = chances.gather(2, batch.targets.clamp(min=0).unsqueeze(2)).squeeze(2)
    sampled = (of_target * counted).sum(1).exp()
    return Success(greedy.item(), sampled.mean().item(), (1 - (1 - sampled) ** 16).mean().item())


def progress(model: Decoder, seed: int, count: int) -> str:
    """One figure triple for each chain length, measured on training-side problems."""
    rng = random.Random(f"progress {seed}")
    shown = []
    for steps in range(1, MAX_STEPS + 1):
        batch = stack([policy_row(training_chain(rng, steps)) for _ in range(count)])
        shown.append("/".join(f"{share:.2f}" for share in success(model, batch)))
    return "greedy/sample/pass@16 by length: " + "  ".join(shown)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the arithmetic policy.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="optimiser steps")
    parser.add_argument("--seconds", type=float, default=0.0, help="wall-clock limit, 0 for none")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report-every", type=int, default=100)
    parser.add_argument("--keep", action="store_true", help="export at every report too")
    parser.add_argument("--smoke", action="store_true", help="a run of half a minute that learns nothing")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Train, then write policy.pt, policy.gguf and policy/ under --out."""
    given = arguments()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    model = Decoder(Shape())
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)

    def report(step: int) -> str:
        if given.keep:
            save(model, str(out / f"policy-{step}.pt"))
        return progress(model, given.seed, 20 if given.smoke else 200)

    schedule = Schedule(
        SMOKE_STEPS if given.smoke else given.steps,
        given.seconds,
        given.rate,
        report_every=given.report_every,
    )
    batches = policy_batches(random.Random(given.seed), given.batch, MAX_STEPS)
    spent = optimise(model, batches, lambda batch: loss_of(model(batch.tokens), batch), schedule, report)
    save(model, str(out / "policy.pt"))
    export(model, out, "policy")
    print(f"{spent.steps} steps, {spent.wall_seconds:.0f} s wall, {spent.cpu_seconds:.0f} s of processor time")


if __name__ == "__main__":
    main()
