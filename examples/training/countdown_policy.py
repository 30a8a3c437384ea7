"""Train the small policy that plays Countdown, one written step a line.

    python -m examples.training.countdown_policy --out build/countdown

What is hard here is not arithmetic but the first step: what leads to the target has to be seen before a character is
written, in one pass through the layers. Accuracy rises slowly to the end, so the rate falls over most of the steps.
Progress is watched on training-side puzzles that are drawn apart, by writing solutions and checking them: as a puzzle
has many solutions, the chance of one text says little.
"""

import argparse
import random

import torch

from branchwise.tasks.countdown.generator import MAX_NUMBERS, MIN_NUMBERS, Puzzle, training_puzzle
from branchwise.tasks.countdown.task import solves
from examples.training.countdown_rows import policy_batches
from examples.training.export import export
from examples.training.model import Decoder, Shape, save
from examples.training.optimising import add_arguments, begin, muon, optimise
from examples.training.train_policy import loss_of
from examples.training.vocabulary import COUNTDOWN
from examples.training.writing import write

DEFAULT_STEPS = 12_000
SMOKE_STEPS = 10
MAX_TOKENS = 128


def solved(model: Decoder, puzzles: list[Puzzle], temperature: float) -> float:
    """Share of puzzles that one solution each of the model solves."""
    texts = write(model, [f"{puzzle.text}\n" for puzzle in puzzles], MAX_TOKENS, temperature)
    right = [solves(puzzle, text.split("\n")) for puzzle, text in zip(puzzles, texts, strict=True)]
    return sum(right) / len(right)


def progress(model: Decoder, seed: int, count: int) -> str:
    """Greedy and sampled accuracy by number count, on training-side puzzles."""
    rng = random.Random(f"progress {seed}")
    shown = []
    for numbers in range(MIN_NUMBERS, MAX_NUMBERS + 1):
        puzzles = [training_puzzle(rng, numbers) for _ in range(count)]
        shown.append("/".join(f"{solved(model, puzzles, temperature):.2f}" for temperature in (0.0, 1.0)))
    return "greedy/sample by numbers: " + "  ".join(shown)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the Countdown policy.")
    add_arguments(parser, DEFAULT_STEPS, rate=2e-3, batch=32, fall_share=0.8)
    return parser.parse_args()


def main() -> None:
    """Train, then write policy.pt, policy.gguf and policy/ under --out."""
    given = arguments()
    schedule = begin(given, SMOKE_STEPS)
    model = Decoder(Shape(), COUNTDOWN)

    def report(step: int) -> str:
        save(model, str(given.out / "policy.pt"))
        with torch.random.fork_rng():
            return progress(model, given.seed, 2 if given.smoke else 200)

    batches = policy_batches(random.Random(given.seed), given.batch)
    print(optimise(model, batches, lambda batch: loss_of(model(batch.tokens), batch), schedule, report, muon))
    save(model, str(given.out / "policy.pt"))
    export(model, given.out, "policy", "countdown")


if __name__ == "__main__":
    main()
