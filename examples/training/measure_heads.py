"""How well a reward head judges solutions of problems that it never met, with truth by recomputation.

1. The policy writes solutions of evaluation-side problems, in torch, seeded.
2. Outcome model: does the right answer outscore the wrong one? Process model: a step is good while it and all
   before it are right.
3. Accuracy at 0.5, area under the curve with a 95 % interval (bootstrap over problems, whose solutions are alike),
   and calibration: the sigmoid of the score against what was true, expected error over ten equal bins.

``python -m examples.training.measure_heads --head outcome --model build/outcome [--problems 300]``
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import torch
from safetensors.torch import load_file

from branchwise.tasks.arithmetic.generator import Chain, evaluation_chains, step_is_right
from examples.training.batches import IGNORED, stack
from examples.training.heads import HEADS, Head, Kind, OutcomeModel
from examples.training.importing import read_hugging_face
from examples.training.measure_reward_model import Scored, measures
from examples.training.train_heads import INITIAL, row_of
from examples.training.writing import write

POLICY = INITIAL.parent / "policy"
RESAMPLES = 200
MAX_TOKENS = 96


def read_head(kind: Kind, folder: Path) -> Head:
    """The head of a folder that train_heads wrote; the biases of its layout are zeros, and have no place here."""
    head = HEADS[kind](read_hugging_face(INITIAL))
    weights = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    known = head.state_dict()
    head.load_state_dict({name: weights.get(name, value) for name, value in known.items()})
    return head.eval()


def truth(head: Head, chain: Chain, steps: Sequence[str]) -> list[float]:
    """1 or 0 for each step: right so far; for an outcome model the last says whether the answer is right."""
    if isinstance(head, OutcomeModel):
        return [0.0] * (len(steps) - 1) + [float(steps[-1].rpartition("=")[2] == str(chain.answer))]
    right = accumulate(step_is_right(chain.text, steps), lambda before, now: before and now)
    return [float(good) for good in right]


@torch.no_grad()
def scored(head: Head, chains: Sequence[Chain], samples: int) -> list[list[Scored]]:
    """(probability, truth) pairs, a list a problem."""
    policy = read_hugging_face(POLICY)
    prompts = [f"{chain.text}\n" for chain in chains for _ in range(samples)]
    written = [text.strip("\n").split("\n") for text in write(policy, prompts, MAX_TOKENS)]
    rows = [
        row_of(head, chains[k // samples].text, steps, truth(head, chains[k // samples], steps))
        for k, steps in enumerate(written)
    ]
    found: list[list[Scored]] = [[] for _ in chains]
    for k, row in enumerate(rows):
        batch = stack([row])
        judged = batch.targets != IGNORED
        chances = head(batch.tokens)[judged].sigmoid().tolist()
        found[k // samples] += zip(chances, (batch.targets[judged] == 1).tolist(), strict=True)
    return found


def interval(found: Sequence[list[Scored]], seed: int) -> tuple[float, float]:
    """95 % bootstrap interval of the area under the curve, over problems."""
    rng = random.Random(seed)
    drawn = [[pair for problem in rng.choices(found, k=len(found)) for pair in problem] for _ in range(RESAMPLES)]
    areas = sorted(measures(pairs)["AUC"] for pairs in drawn)
    return areas[int(0.025 * RESAMPLES)], areas[int(0.975 * RESAMPLES) - 1]


def main() -> None:
    """Measure at three and five steps and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", choices=list(HEADS), required=True)
    parser.add_argument("--model", type=Path, required=True, help="the folder that train_heads wrote")
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--seed", type=int, default=99)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    for steps in (3, 5):
        chains = evaluation_chains(random.Random(given.seed), given.problems, steps)
        found = scored(read_head(given.head, given.model), chains, given.samples)
        low, high = interval(found, given.seed)
        shown = measures([pair for problem in found for pair in problem])
        print(f"{steps} steps: judged {shown['steps']}  bad {shown['bad']:.3f}  accuracy {shown['accuracy']:.3f}  "
              f"AUC {shown['AUC']:.3f} ({low:.3f} - {high:.3f})  ECE {shown['ECE']:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
