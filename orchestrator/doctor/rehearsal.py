"""Rehearsal: can each reward, and each judge of pairs, of a workflow judge a small solution of two steps?

1. Each is built as a run builds it, over models that were found to be well.
2. It judges once, within ``TRY_SECONDS``, outside any run: no journal, budget or retries. That costs as many calls
   as one judgement takes, by the labels, step tags, templates and token limits of the workflow.
3. What kept it from judging is what would keep it from judging anything.

What asks no model is left out, and so is what reads what a task's world gave: there is none here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from branchwise.orchestrator.backends.wrapping import Wrapping
from branchwise.orchestrator.core.errors import BoundaryError, ConfigError
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.options import JudgingOptions, Parts, each_part, module_of, needs_of_part
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.request import Draw, Progress, Request
from branchwise.orchestrator.core.roles import Backend, Pair
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.rewards.references import read_references
from branchwise.orchestrator.session import Plain
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.spec import SearchNode
from branchwise.sandboxes.calculator import evaluate

TRY_SECONDS: Final = 60.0
PROBLEM: Final = "1+1+1"
RIGHT: Final = ("1+1=2", "2+1=3")
WRONG: Final = ("1+1=2", "2+1=1")
SEPARATOR: Final = "\n\n"
MOST_SHOWN: Final = 80


class Witness(Wrapping):
    """A model of which is known what it was asked first."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.first: Request | None = None

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """The inner backend's answer."""
        self.first = self.first or request
        return await self._backend.generate(request, progress)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of one reward or judge: its judgement, why there is none, or why that can't be seen from here."""

    place: str
    kind: str
    judgement: Judgement | None = None
    wrong: str = ""
    unseen: str = ""


async def rehearsed(loaded: Loaded, models: Mapping[str, Backend]) -> list[Rehearsed]:
    """One after the other, those all of whose models are among ``models``."""
    parts = Parts(models.__getitem__, Plain(()).answer, evaluate, loaded.directory)
    found = list[Rehearsed]()
    for name, node in loaded.workflow.nodes.items():
        if isinstance(node, SearchNode):
            judge = node.tournament.judge if node.tournament is not None else None
            for key, options in (("reward", node.reward), ("tournament.judge", judge)):
                if options is not None and (wanted := needs_of_part(options)) and wanted.keys() <= models.keys():
                    found.append(await _rehearsed(f"nodes.{name}.{key}", node, options, parts))
    return found


async def _rehearsed(place: str, node: SearchNode, options: JudgingOptions, parts: Parts) -> Rehearsed:
    nothing = Rehearsed(place, options.kind)
    if options.wants_world:
        return replace(nothing, unseen=f"{place}: it reads what a task's world gave")
    try:
        async with asyncio.timeout(TRY_SECONDS):
            judgement = await _judged(node, options, parts)
    except TimeoutError:
        return replace(nothing, unseen=f"{place}: one judgement takes longer than {TRY_SECONDS:g} s")
    except (BoundaryError, ConfigError) as error:
        return replace(nothing, wrong=str(error))
    return replace(nothing, judgement=judgement, wrong=_lost(judgement))


async def _judged(node: SearchNode, options: JudgingOptions, parts: Parts) -> Judgement:
    asked, separator = _problem(options, parts.directory), getattr(node.policy, "step_separator", None) or SEPARATOR
    right, wrong = (_solution(asked, steps, separator) for steps in (RIGHT, WRONG))
    part = module_of(options).build(options, parts)
    if options is node.reward:
        (judgement,) = await part.score([right])
    else:
        (judgement,) = await part.compare([Pair(Candidate(right), Candidate(wrong))])
    found: Judgement = judgement
    return found


def _problem(options: JudgingOptions, directory: Path) -> Problem:
    """A small problem, with a reference answer where one is looked for, under the name of one that has references."""
    keys = [getattr(part, "given", None) for part in each_part(options)]
    files = [getattr(part, "references", None) for part in each_part(options)]
    known = [read_references(directory / file) for file in files if isinstance(file, Path)]
    name = next((name for name in known[0] if all(name in each for each in known)), None) if known else None
    given = {key: "".join(RIGHT) for key in keys if key is not None}
    asked = replace(problem(PROBLEM), metadata=given)
    return asked if name is None else replace(asked, id=name)


def _solution(asked: Problem, steps: tuple[str, str], separator: str) -> Trajectory:
    first, last = steps
    return Trajectory(asked, (Step(first + separator), Step(last)), stop=StopReason.ANSWERED)


def _lost(judgement: Judgement) -> str:
    """Why there is no value, with the beginning of what was said instead; empty where there is one."""
    if judgement.failure is None:
        steps = len(judgement.step_values)
        return f"{steps} step values came for {len(RIGHT)} steps" if steps not in (0, len(RIGHT)) else ""
    said = " ".join((judgement.rationale or "").split())
    if not said or said == " ".join(RIGHT):
        return judgement.failure.message
    shown = said if len(said) <= MOST_SHOWN else said[: MOST_SHOWN - 3] + "..."
    return f"{judgement.failure.message}; what was said instead: {shown!r}"
