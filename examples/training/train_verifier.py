"""Teach the policy's weights to spot mistakes: what comes before the reward model's rollout labels.

    python -m examples.training.train_verifier --initial build/policy/policy.pt --solutions build/labels.jsonl \\
        --out build/verifier --threads 2

Three lessons, each with a learning rate of its own that falls to zero:

1. Writing: the policy's layers learn more arithmetic than the policy was given time for.
2. Short chains with mistakes: what takes time is finding the comparison at all, and that asks for many updates on
   easy texts, not for data.
3. All chains. Half of each batch are solutions that the policy itself sampled (those of the labels file; its
   labels play no part here), since its own mistakes look likely and are the hardest to see.

See pupil.py for what is learned at which depth, mistakes.py for the texts; all problems are from the training side.
"""

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from branchwise.tasks.arithmetic.generator import MAX_STEPS, parse_problem, training_chain
from examples.training.batches import IGNORED, POOL, POSITIVE, grouped
from examples.training.judging import auc, good_logits
from examples.training.labels import read_solutions
from examples.training.mistakes import Marked, MarkedBatch, marked, spoilt, stack_marked
from examples.training.model import TOKEN_OF, Decoder, load, save
from examples.training.optimising import add_arguments, begin, optimise
from examples.training.pupil import Pupil

SMOKE_STEPS = 10
HELD_OUT = 300


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is practised: ``share`` of all updates on batches of ``size`` chains of up to ``longest`` operations."""

    name: str
    share: float
    size: int
    longest: int
    mistakes: bool = True
    sampled_share: float = 0.0

    def batches(self, rng: random.Random, sampled: Sequence[Marked]) -> Iterator[MarkedBatch]:
        """Endless batches of right, spoilt and sampled solutions."""
        own = int(self.size * POOL * self.sampled_share) if sampled else 0
        while True:
            chains = [training_chain(rng, rng.randint(1, self.longest)) for _ in range(self.size * POOL - own)]
            rows = [spoilt(rng, chain) if self.mistakes else marked(chain, chain.steps) for chain in chains]
            yield from grouped(rng, rows + rng.choices(sampled or rows, k=own), self.size, stack_marked)


LESSONS = (
    Lesson("writing", 0.08, 64, MAX_STEPS, mistakes=False),
    Lesson("short chains", 0.11, 64, 2),
    Lesson("all chains", 0.81, 24, MAX_STEPS, sampled_share=0.5),
)


def sampled_rows(path: Path, context: int) -> list[Marked]:
    """The different solutions of a labels file, with marks from the true steps; odd ones are left out."""
    solutions = {(solution.problem, solution.steps) for solution in read_solutions(path)}
    rows = []
    for problem, steps in sorted(solutions):
        chain = parse_problem(problem)
        if chain is not None and set("".join(steps)) <= TOKEN_OF.keys():
            rows.append(marked(chain, steps))
    return [row for row in rows if len(row.tokens) <= context]


@torch.no_grad()
def progress(model: Decoder, held_out: Mapping[str, MarkedBatch]) -> str:
    """How well right and wrong prefixes are told apart at the ends of steps."""
    shown = []
    for name, batch in held_out.items():
        ends = (batch.tokens == TOKEN_OF["\n"]) & (batch.verdicts != IGNORED)
        scores, right = good_logits(model(batch.tokens))[ends], batch.verdicts[ends] == POSITIVE
        found = ((scores > 0) == right).float()
        area = auc(list(zip(scores.tolist(), right.tolist(), strict=True)))
        shown.append(f"{name}: right {found[right].mean():.3f} wrong {found[~right].mean():.3f} AUC {area:.3f}")
    return "; ".join(shown)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Teach the arithmetic policy to spot mistakes.")
    parser.add_argument("--initial", type=Path, required=True, help="the policy's weights (policy.pt)")
    parser.add_argument("--solutions", type=Path, help="labels file with solutions the policy sampled")
    parser.add_argument("--extra-layers", type=int, default=2, help="layers put on top of the policy's")
    add_arguments(parser, steps=7500, rate=1e-3, fall_share=0.8)
    return parser.parse_args()


def main() -> None:
    """Train, then write verifier.pt under --out: what train_reward_model starts from."""
    given = arguments()
    schedule, rng = begin(given, SMOKE_STEPS), random.Random(given.seed)
    pupil = Pupil(load(str(given.initial)), given.extra_layers)
    spoilt_rows = [spoilt(rng, training_chain(rng, rng.randint(1, MAX_STEPS))) for _ in range(HELD_OUT)]
    held_out = {"spoilt": stack_marked(spoilt_rows)}
    sampled = sampled_rows(given.solutions, pupil.verifier.shape.context) if given.solutions else []
    rng.shuffle(sampled)
    if sampled:
        kept = min(HELD_OUT, len(sampled) // 5)
        held_out["sampled"], sampled = stack_marked(sampled[:kept]), sampled[kept:]
    for lesson in LESSONS:
        if lesson.mistakes and not lesson.sampled_share:
            pupil.look_back(held_out["spoilt"])
        print(f"{lesson.name}:", flush=True)
        spent = optimise(
            pupil,
            lesson.batches(rng, sampled),
            pupil.loss if lesson.mistakes else pupil.writing_loss,
            replace(schedule, steps=max(1, round(lesson.share * schedule.steps))),
            lambda step: progress(pupil.verifier, held_out),
        )
        print(spent, flush=True)
        save(pupil.verifier, str(given.out / "verifier.pt"))


if __name__ == "__main__":
    main()
