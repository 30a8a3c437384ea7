"""Train the value model of Countdown: the probability that the target is still within reach after each line.

    python -m examples.training.countdown_value --policy build/countdown/policy.pt --out build/countdown

1. The policy writes solutions of training-side puzzles; exhaustive search labels their lines.
2. Two layers are put on top of the policy, which knows how to look for what leads to the target.
3. It learns labels and lines together (countdown_states.py): of the policy's solutions and of random play, which is
   drawn anew all the time.

Progress is watched on solutions of other training-side puzzles.
"""

import argparse
import random
from collections import defaultdict
from pathlib import Path

import torch

from branchwise.tasks.countdown.generator import training_puzzle
from examples.training.batches import POSITIVE, Row, stack
from examples.training.countdown_policy import MAX_TOKENS
from examples.training.countdown_rows import NUMBERS
from examples.training.countdown_states import Play, value_batches, value_row
from examples.training.export import export
from examples.training.judging import auc, good_logits
from examples.training.model import Decoder, deepened, load, save
from examples.training.optimising import add_arguments, begin, muon, optimise
from examples.training.train_policy import loss_of
from examples.training.vocabulary import COUNTDOWN
from examples.training.writing import write

DEFAULT_STEPS = 9000
SMOKE_STEPS = 10


def own_plays(policy: Decoder, rng: random.Random, puzzles: int, samples: int) -> list[Play]:
    """What the policy writes for training-side puzzles, so many samples each, without their repeats."""
    drawn = [training_puzzle(rng, rng.choice(NUMBERS)) for _ in range(puzzles)]
    asked = [puzzle for puzzle in drawn for _ in range(samples)]
    texts = write(policy, [f"{puzzle.text}\n" for puzzle in asked], MAX_TOKENS)
    plays = [Play(puzzle, tuple(filter(None, text.split("\n")))) for puzzle, text in zip(asked, texts, strict=True)]
    return list(dict.fromkeys(plays))


@torch.no_grad()
def progress(model: Decoder, rows: list[Row]) -> str:
    """Area under the curve and accuracy of the labels after first lines, second lines and so on."""
    newline = COUNTDOWN.token_of["\n"]
    found: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for begun in range(0, len(rows), 256):
        some = rows[begun : begun + 256]
        scores = good_logits(model(stack(some).tokens)).tolist()
        for row, of_row in zip(some, scores, strict=True):
            ends = [place for place, token in enumerate(row.tokens) if token == newline]
            for line, place in enumerate(ends[1:], 1):
                found[line].append((of_row[place], row.targets[place] == POSITIVE))
    shown = [f"{auc(one):.3f}/{accuracy(one):.3f}" for _, one in sorted(found.items())]
    return "held out, AUC/accuracy by line: " + "  ".join(shown)


def accuracy(scored: list[tuple[float, bool]]) -> float:
    """Share of labels on whose side the score is."""
    return sum((score > 0) == good for score, good in scored) / len(scored)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the Countdown value model.")
    add_arguments(parser, DEFAULT_STEPS, rate=1e-3, batch=32, fall_share=0.8)
    parser.add_argument("--policy", type=Path, required=True, help="the policy's weights (policy.pt)")
    parser.add_argument("--puzzles", type=int, default=1500, help="puzzles that the policy plays")
    parser.add_argument("--samples", type=int, default=4, help="solutions that it writes of each")
    parser.add_argument("--extra-layers", type=int, default=2, help="layers put on top of the policy's")
    return parser.parse_args()


def main() -> None:
    """Let the policy play, train, then write value.pt, value.gguf and value/ under --out."""
    given = arguments()
    schedule, rng = begin(given, SMOKE_STEPS), random.Random(given.seed)
    policy = load(str(given.policy))
    puzzles = 10 if given.smoke else given.puzzles
    held_out = [value_row(play) for play in own_plays(policy, rng, puzzles // 5, 1)]
    own = [value_row(play) for play in own_plays(policy, rng, puzzles, given.samples)]
    print(f"{len(own)} solutions of the policy to learn from, {len(held_out)} held out", flush=True)
    model = deepened(policy, given.extra_layers)

    def report(step: int) -> str:
        save(model, str(given.out / "value.pt"))
        return progress(model, held_out)

    batches = value_batches(rng, own, given.batch)
    print(optimise(model, batches, lambda batch: loss_of(model(batch.tokens), batch), schedule, report, muon))
    save(model, str(given.out / "value.pt"))
    export(model, given.out, "value", "countdown")


if __name__ == "__main__":
    main()
