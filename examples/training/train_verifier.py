"""Teach the policy's weights to spot mistakes: the lesson before the reward model's rollout labels.

    python -m examples.training.train_verifier --initial build/policy.pt --out build/verifier

1. Two layers are put on top of the policy, since a mistake is seen by comparing what was written with what
   the policy would have written, which its last layer knows one character too early.
2. Below them the policy goes on learning to write: without that second loss it forgets arithmetic before the
   new layers have learned to use it (tried: after 700 steps nothing was recognised).
3. Small batches: what takes time is finding the comparison at all, and that asks for updates, not for data.

See mistakes.py for the lesson itself; all problems are from the training side.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from branchwise.tasks.arithmetic.generator import MAX_STEPS, training_chain
from examples.training.batches import IGNORED, NEGATIVE, POOL, POSITIVE, Batch, grouped, stack
from examples.training.mistakes import spoilt_row
from examples.training.model import TOKEN_OF, Decoder, deepened, load, save
from examples.training.optimising import Schedule, optimise

DEFAULT_STEPS = 6000
SMOKE_STEPS = 10


def lessons(rng: random.Random, size: int) -> Iterator[Batch]:
    """Endless batches of right and spoilt solutions of 1 to 5 steps."""
    while True:
        chains = [training_chain(rng, rng.randint(1, MAX_STEPS)) for _ in range(size * POOL)]
        yield from grouped(rng, [spoilt_row(rng, chain) for chain in chains], size)


class Pupil(nn.Module):
    """A deepened policy with the policy's own head kept at its old depth, for the second loss."""

    def __init__(self, policy: Decoder, extra_layers: int) -> None:
        super().__init__()
        self.verifier = deepened(policy, extra_layers)
        self.depth = policy.shape.layers
        self.writing = nn.Sequential(policy.norm, policy.lm_head)

    def loss(self, batch: Batch, writing_weight: float) -> Tensor:
        """Mean cross entropy of the verdicts, and of the next characters where those are right."""
        streams = self.verifier.streams(batch.tokens)
        verdicts = self.verifier.lm_head(self.verifier.norm(streams[-1]))
        written = self.writing(streams[self.depth - 1])
        return entropy(verdicts, batch.targets) + writing_weight * entropy(written, next_right(batch))


def entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy over the targets that count."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def next_right(batch: Batch) -> Tensor:
    """[batch, time]: the next token wherever all of the text up to it is right."""
    following = torch.full_like(batch.tokens, IGNORED)
    right = batch.targets[:, 1:] == POSITIVE
    following[:, :-1] = torch.where(right, batch.tokens[:, 1:], IGNORED)
    return following


@torch.no_grad()
def progress(model: Decoder, held_out: Batch) -> str:
    """Shares of right and of spoilt prefixes recognised at the ends of steps."""
    verdict = model(held_out.tokens).argmax(-1)
    ends = (held_out.tokens == TOKEN_OF["\n"]) & (held_out.targets != IGNORED)
    spoilt = held_out.targets == NEGATIVE
    found = (verdict == held_out.targets).float()
    right_share, spoilt_share = found[ends & ~spoilt].mean(), found[ends & spoilt].mean()
    return f"recognised: right prefixes {right_share:.3f}  spoilt prefixes {spoilt_share:.3f}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Teach the arithmetic policy to spot mistakes.")
    parser.add_argument("--initial", type=Path, required=True, help="the policy's weights (policy.pt)")
    parser.add_argument("--extra-layers", type=int, default=2, help="layers put on top of the policy's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="optimiser steps")
    parser.add_argument("--seconds", type=float, default=0.0, help="wall-clock limit, 0 for none")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--writing-weight", type=float, default=0.5, help="weight of the second loss")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report-every", type=int, default=200)
    parser.add_argument("--keep", action="store_true", help="save the weights at every report too")
    parser.add_argument("--smoke", action="store_true", help="a run of half a minute that learns little")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Train, then write verifier.pt under --out: what train_reward_model starts from."""
    given = arguments()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    pupil = Pupil(load(str(given.initial)), given.extra_layers)
    given.out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(f"held out {given.seed}")
    held_out = stack([spoilt_row(rng, training_chain(rng, rng.randint(1, MAX_STEPS))) for _ in range(300)])

    def report(step: int) -> str:
        if given.keep:
            save(pupil.verifier, str(given.out / f"verifier-{step}.pt"))
        return progress(pupil.verifier, held_out)

    steps = SMOKE_STEPS if given.smoke else given.steps
    schedule = Schedule(steps, given.seconds, given.rate, report_every=given.report_every)
    spent = optimise(
        pupil,
        lessons(random.Random(given.seed), given.batch),
        lambda batch: pupil.loss(batch, given.writing_weight),
        schedule,
        report,
    )
    save(pupil.verifier, str(given.out / "verifier.pt"))
    print(f"{spent.steps} steps, {spent.wall_seconds:.0f} s wall, {spent.cpu_seconds:.0f} s of processor time")


if __name__ == "__main__":
    main()
