"""Rewards as a workflow's writer gives them, and what they are tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import Options, Parts, module_of
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.roles import Backend, RewardModel
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.workflow import spec
from branchwise.sandboxes.calculator import evaluate

ANY: TypeAdapter[Options] = TypeAdapter(spec.Reward)


def no_model(name: str) -> Backend:
    raise AssertionError(f"nobody asked for the model {name}")


PARTS = Parts(no_model, lambda trajectory: None, evaluate=evaluate)


def options_of(**written: Any) -> Any:
    """The options, as they are read from a workflow file."""
    return ANY.validate_python(written)


def built(parts: Parts = PARTS, **written: Any) -> RewardModel:
    """The reward model of such options."""
    options = options_of(**written)
    reward: RewardModel = module_of(options).build(options, parts)
    return reward


def solution(
    *steps: str, name: str = "a", text: str = "How many?", scores: Sequence[float | None] = ()
) -> Trajectory:
    """A finished trajectory of these steps; ``scores`` are those that its steps have."""
    known = [*scores, *([None] * (len(steps) - len(scores)))]
    made = tuple(Step(step, score=score) for step, score in zip(steps, known, strict=True))
    return Trajectory(problem(text, name), made, (0,), StopReason.ANSWERED)


async def judgement(reward: RewardModel, trajectory: Trajectory) -> Judgement:
    """What the reward says of one trajectory."""
    (found,) = await reward.score([trajectory])
    return found


class Pooling:
    """A model whose answer to a request is computed; it keeps what it was asked."""

    def __init__(self, answer: Callable[[Request], Draw], name: str = "tiny") -> None:
        self.answer, self.asked = answer, list[Request]()
        self.identity, self.capabilities = Identity(name), Capabilities(pooling=True, prompt_logprobs=True)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        self.asked.append(request)
        return (self.answer(request),)

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        texts = [request.prompt or "", request.document or "", *(message.text for message in request.messages)]
        return sum(map(len, texts)), True

    async def aclose(self) -> None:
        return None


def parts_of(models: Mapping[str, Backend]) -> Parts:
    """Parts with these models."""
    return Parts(models.__getitem__, lambda trajectory: None, evaluate=evaluate)


def numbers(*rows: Sequence[float]) -> Draw:
    """What a pooling model answers."""
    return Draw("", "end", Usage(calls=1), values=tuple(map(tuple, rows)))
