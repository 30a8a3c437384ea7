"""Teach the policy's weights to spot mistakes: the lesson before the reward model's rollout labels.

    python -m examples.training.train_verifier --initial build/policy/policy.pt --solutions build/labels.jsonl \\
        --out build/verifier

1. Two layers are put on top of the policy, since a mistake is seen by comparing what was written with what
   the policy would have written, which its last layer knows one character too early.
2. Below them the policy goes on learning to write: without that second loss it forgets arithmetic before the
   new layers have learned to use it (tried: after 700 steps nothing was recognised).
3. Small batches, and short chains first: what takes time is finding the comparison at all, and that asks for
   many updates on easy texts, not for data.
4. Then half of each batch are solutions the policy itself sampled (the labels file's; its labels play no part
   here).

See mistakes.py for the lesson itself; all problems are from the training side.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from branchwise.tasks.arithmetic.generator import MAX_STEPS, parse_problem, training_chain
from examples.training.batches import IGNORED, NEGATIVE, POOL, POSITIVE, Batch, Row, grouped, stack
from examples.training.labels import read_solutions
from examples.training.mistakes import spoilt_row, verdict_row
from examples.training.model import TOKEN_OF, Decoder, deepened, load, save
from examples.training.optimising import Schedule, optimise

DEFAULT_STEPS = 6000
SMOKE_STEPS = 10


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is practised when: `short_steps` updates on chains of 1 or 2 operations, then everything."""

    short_steps: int
    size: int
    sampled: Sequence[Row]
    sampled_share: float = 0.5

    def batches(self, rng: random.Random) -> Iterator[Batch]:
        """Endless batches of right, spoilt and sampled solutions."""
        given = 0
        while True:
            short = given < self.short_steps
            sampled = 0 if short or not self.sampled else int(self.size * POOL * self.sampled_share)
            longest = 2 if short else MAX_STEPS
            chains = [training_chain(rng, rng.randint(1, longest)) for _ in range(self.size * POOL - sampled)]
            rows = [spoilt_row(rng, chain) for chain in chains] + rng.choices(self.sampled or [], k=sampled)
            yield from grouped(rng, rows, self.size)
            given += POOL


def sampled_rows(path: Path, context: int) -> list[Row]:
    """The different solutions of a labels file, with verdicts from the true steps; odd ones are left out."""
    solutions = {(solution.problem, solution.steps) for solution in read_solutions(path)}
    rows = []
    for problem, steps in sorted(solutions):
        chain = parse_problem(problem)
        if chain is not None and set("".join(steps)) <= TOKEN_OF.keys():
            rows.append(verdict_row(chain, steps))
    return [row for row in rows if len(row.tokens) <= context]


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
    """Shares of right and of wrong prefixes recognised at the ends of steps."""
    verdict = model(held_out.tokens).argmax(-1)
    ends = (held_out.tokens == TOKEN_OF["\n"]) & (held_out.targets != IGNORED)
    wrong = held_out.targets == NEGATIVE
    found = (verdict == held_out.targets).float()
    return f"right {found[ends & ~wrong].mean():.3f} wrong {found[ends & wrong].mean():.3f}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Teach the arithmetic policy to spot mistakes.")
    parser.add_argument("--initial", type=Path, required=True, help="the policy's weights (policy.pt)")
    parser.add_argument("--solutions", type=Path, help="labels file with solutions the policy sampled")
    parser.add_argument("--extra-layers", type=int, default=2, help="layers put on top of the policy's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help="optimiser steps")
    parser.add_argument("--seconds", type=float, default=0.0, help="wall-clock limit, 0 for none")
    parser.add_argument("--short-share", type=float, default=0.25, help="share of steps on short chains")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--fall-share", type=float, default=0.8, help="last share of steps, with a falling rate")
    parser.add_argument("--writing-weight", type=float, default=1.0, help="weight of the second loss")
    parser.add_argument("--batch", type=int, default=24)
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
    held_out = {
        "spoilt": stack([spoilt_row(rng, training_chain(rng, rng.randint(1, MAX_STEPS))) for _ in range(300)])
    }
    sampled = sampled_rows(given.solutions, pupil.verifier.shape.context) if given.solutions else []
    rng.shuffle(sampled)
    if sampled:
        kept = min(300, len(sampled) // 5)
        held_out["sampled"], sampled = stack(sampled[:kept]), sampled[kept:]

    def report(step: int) -> str:
        if given.keep:
            save(pupil.verifier, str(given.out / f"verifier-{step}.pt"))
        shares = [f"{kind}: {progress(pupil.verifier, batch)}" for kind, batch in held_out.items()]
        return "recognised, " + "; ".join(shares)

    steps = SMOKE_STEPS if given.smoke else given.steps
    lesson = Lesson(int(given.short_share * steps), given.batch, sampled)
    spent = optimise(
        pupil,
        lesson.batches(random.Random(given.seed)),
        lambda batch: pupil.loss(batch, given.writing_weight),
        Schedule(steps, given.seconds, given.rate, fall_share=given.fall_share, report_every=given.report_every),
        report,
    )
    save(pupil.verifier, str(given.out / "verifier.pt"))
    print(f"{spent.steps} steps, {spent.wall_seconds:.0f} s wall, {spent.cpu_seconds:.0f} s of processor time")


if __name__ == "__main__":
    main()
