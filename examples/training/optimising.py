"""The training loop both models share: AdamW, warm-up, a constant rate, and a linear fall at the end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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


@dataclass(frozen=True, slots=True)
class Spent:
    """What a training run took."""

    steps: int
    wall_seconds: float
    cpu_seconds: float


def optimise(
    model: nn.Module,
    batches: Iterator[Batch],
    loss_of: Callable[[Batch], Tensor],
    schedule: Schedule,
    report: Callable[[int], str],
) -> Spent:
    """Train `model` in place and print a line now and then."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.rate, betas=(0.9, 0.98), weight_decay=0.01)
    wall, cpu, step = time.perf_counter(), time.process_time(), 0
    for step in range(1, schedule.steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate_at(step - 1)
        batch = next(batches)
        loss = loss_of(batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        elapsed = time.perf_counter() - wall
        if step % schedule.report_every == 0 or step == schedule.steps:
            print(f"step {step:5d}  {elapsed:6.0f} s  loss {loss.item():.4f}  {report(step)}", flush=True)
        if schedule.seconds and elapsed > schedule.seconds:
            break
    return Spent(step, time.perf_counter() - wall, time.process_time() - cpu)
