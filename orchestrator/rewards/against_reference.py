"""Against a reference: how likely an answer beats another one, by a judge of pairs. So such judges steer searches.

1. Each problem has one reference answer: ``given`` in its public metadata, or written by a ``model``, greedily or at
   a temperature. It is drawn once a problem and found again on record.
2. The judge compares each answer with it. The value is the probability that the answer is better.

An unfinished answer is compared as it stands, mostly to its loss: a search over steps that are judged on their way
wants a judge who is told so in its prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Template
from typing import Any, ClassVar, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.errors import BackendError, RewardFailure
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Judgement, Source, failed
from branchwise.orchestrator.core.options import AnyJudge, JudgingOptions, Parts, module_of
from branchwise.orchestrator.core.placeholders import Placeholders, Templated
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.prompting import Prompted, Style
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Pair, PairJudge
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.rewards.bases import Single


class Options(Templated, JudgingOptions, Generic[AnyJudge]):
    """Who compares, and with what."""

    kind: Literal["against_reference"] = "against_reference"
    source: ClassVar[Source] = "judge"
    scores_steps: ClassVar[bool] = False
    placeholders: ClassVar[Placeholders] = Placeholders(("problem",))
    judge: AnyJudge = Field(description="Who compares: any judge of pairs that asks a model.")
    given: str | None = Field(None, description="The key of the problem's public metadata that holds the reference.")
    model: str | None = Field(None, description="Or the name of the model that writes the reference.")
    prompt: str = Field("$problem\n", description="Template of what that model is asked.")
    style: Style = Field("chat", description="As a user's message, or as plain text to be continued.")
    temperature: float = Field(0.0, ge=0, description="Of the reference: 0 is the greedy answer.")
    max_tokens: int = Field(512, gt=0, description="Most tokens of the reference.")
    seed: int = Field(0, ge=0, description="Of the reference where it is sampled.")

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        if getattr(self.judge, "wants_reward", False):
            raise ValueError(f"{self.judge.kind} compares values that another reward gave, and there are none")
        if (self.given is None) == (self.model is None):
            raise ValueError(
                "a judge of pairs gives no value to a single answer: say what to compare with, by `model`, who "
                "writes a reference, or by `given`, the key of the problem's metadata that holds one"
            )
        return self

    @property
    def sampled(self) -> bool:
        """Whether the reference is written at a temperature, or the judge is sampled."""
        return (self.model is not None and self.temperature > 0) or super().sampled


@dataclass(frozen=True, slots=True)
class AgainstReference(Single[Options[Any]]):
    """A reward model around a judge of pairs. ``writer`` writes the references, where they are not given."""

    judge: PairJudge
    writer: Prompted | None

    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """The reference, and a comparison of the two longest answers."""
        drawn, more = NOTHING, max_new_tokens
        if self.writer is not None:
            drawn = self.writer.bound(self._request(self.writer, trajectory.problem), 1)
            more += self.options.max_tokens
        text = str(trajectory.problem.metadata.get(self.options.given or "", ""))
        return drawn + self.judge.bound(Pair(Candidate(trajectory), _answer(trajectory.problem, text)), more)

    async def score_one(self, trajectory: Trajectory) -> Judgement:
        """The probability that it beats the reference; a failure where there is none."""
        try:
            reference = await self._reference(trajectory.problem)
        except (BackendError, RewardFailure) as error:
            return failed(f"there is no reference: {error}", self.source)
        (judgement,) = await self.judge.compare([Pair(Candidate(trajectory), reference)])
        return replace(judgement, source=self.source)

    async def _reference(self, problem: Problem) -> Candidate:
        if self.writer is not None:
            (draw,) = await self.writer.model.generate(self._request(self.writer, problem))
            return _answer(problem, draw.text)
        given = self.options.given or ""
        if given not in problem.metadata:
            raise RewardFailure(f"the problem's metadata has no '{given}'")
        return _answer(problem, str(problem.metadata[given]))

    def _request(self, writer: Prompted, problem: Problem) -> Request:
        options = self.options
        return writer.request(
            writer.filled(problem=problem.text),
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            seed=seed_by_content(options.seed, "reference", problem.id, problem.text),
        )


def _answer(problem: Problem, text: str) -> Candidate:
    return Candidate(Trajectory(problem, (Step(text),), stop=StopReason.ANSWERED))


def needs(options: Options[Any]) -> dict[str, frozenset[str]]:
    """To be asked for a reference; the judge's own are merged with it."""
    return {options.model: frozenset({options.style})} if options.model is not None else {}


def build(options: Options[Any], parts: Parts) -> AgainstReference:
    """The reward over its judge and the writer of references."""
    judge = module_of(options.judge).build(options.judge, parts)
    if options.model is None:
        return AgainstReference(options, judge, None)
    return AgainstReference(
        options, judge, Prompted(parts.model(options.model), Template(options.prompt), options.style)
    )
