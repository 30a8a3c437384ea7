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
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from branchwise.tasks.arithmetic.generator import MAX_STEPS, training_chain
from examples.training.batches import IGNORED, Batch, policy_batches, policy_row, stack
from examples.training.export import export
from examples.training.model import Decoder, Shape, save
from examples.training.optimising import add_arguments, begin, optimise

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
    add_arguments(parser, DEFAULT_STEPS, rate=2e-3, fall_share=0.2, batch=64)
    parser.add_argument("--keep", action="store_true", help="export at every report too")
    return parser.parse_args()


def main() -> None:
    """Train, then write policy.pt, policy.gguf and policy/ under --out."""
    given = arguments()
    schedule, out = begin(given, SMOKE_STEPS), given.out
    model = Decoder(Shape())

    def report(step: int) -> str:
        if given.keep:
            save(model, str(out / f"policy-{step}.pt"))
        return progress(model, given.seed, 20 if given.smoke else 200)

    batches = policy_batches(random.Random(given.seed), given.batch, MAX_STEPS)
    spent = optimise(model, batches, lambda batch: loss_of(model(batch.tokens), batch), schedule, report)
    save(model, str(out / "policy.pt"))
    export(model, out, "policy")
    print(spent)


if __name__ == "__main__":
    main()
