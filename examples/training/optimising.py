"""The training loop that all models share: AdamW or Muon, warm-up, a constant rate, and a linear fall at the end.

What is learned last is learned in the fall: a long one spends the time better than a high rate held for long.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from examples.training.batches import Batch


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn; `seconds` ends early without the fall, 0 means no limit."""

    steps: int
    seconds: float
    rate: float
    warmup_steps: int = 100
    fall_share: float = 0.2
    report_every: int = 100

    def rate_at(self, step: int) -> float:
        """The learning rate of one step."""
        remaining = (self.steps - step) / max(1.0, self.fall_share * self.steps)
        return self.rate * min(1.0, (step + 1) / self.warmup_steps, remaining)


def add_arguments(
    parser: argparse.ArgumentParser, steps: int, rate: float, fall_share: float, batch: int | None = None
) -> None:
    """What every training script may be told; the values are its defaults. No ``batch``: no option for it."""
    if batch is not None:
        parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps")
    parser.add_argument("--seconds", type=float, default=0.0, help="wall-clock limit, 0 for none")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument(
        "--fall-share", type=float, default=fall_share, help="last share of steps, with a falling rate"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report-every", type=int, default=500)
    parser.add_argument("--smoke", action="store_true", help="a run of half a minute that learns next to nothing")
    parser.add_argument("--out", type=Path, required=True)


def begin(given: argparse.Namespace, smoke_steps: int) -> Schedule:
    """The schedule that the arguments ask for; sets threads and seed, makes the folder of what is written."""
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    steps = smoke_steps if given.smoke else given.steps
    return Schedule(steps, given.seconds, given.rate, fall_share=given.fall_share, report_every=given.report_every)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a training run took."""

    steps: int
    wall_seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        return f"{self.steps} steps, {self.wall_seconds:.0f} s wall, {self.cpu_seconds:.0f} s of processor time"


def adamw(model: nn.Module) -> list[Optimizer]:
    """AdamW for everything; the schedule sets the rate."""
    return [torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)]


def muon(model: nn.Module) -> list[Optimizer]:
    """Muon for the matrices inside the layers, AdamW for the rest, at one rate.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. In one trial on Countdown (three
    numbers, one seed) it was after 500 steps where AdamW was after 1,000, at a sixth more time a step.
    """
    inner = [weight for name, weight in model.named_parameters() if "layers." in name and weight.ndim == 2]
    taken = set(map(id, inner))
    rest = [weight for weight in model.parameters() if id(weight) not in taken]
    return [
        torch.optim.Muon(inner, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def optimise(
    model: nn.Module,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], Tensor],
    schedule: Schedule,
    report: Callable[[int], str],
    optimisers_of: Callable[[nn.Module], list[Optimizer]] = adamw,
) -> Spent:
    """Train `model` in place and print a line now and then."""
    optimisers = optimisers_of(model)
    wall, cpu, step = time.perf_counter(), time.process_time(), 0
    for step in range(1, schedule.steps + 1):
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = schedule.rate_at(step - 1)
        batch = next(batches)
        loss = loss_of(batch)
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        elapsed = time.perf_counter() - wall
        if step % schedule.report_every == 0 or step == schedule.steps:
            print(f"step {step:5d}  {elapsed:6.0f} s  loss {loss.item():.4f}  {report(step)}", flush=True)
        if schedule.seconds and elapsed > schedule.seconds:
            break
    return Spent(step, time.perf_counter() - wall, time.process_time() - cpu)
