"""Plug-ins at the engine's edges: what they raise, alone or in a group, costs what was asked of them and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from branchwise import solve_batch
from branchwise.orchestrator.core.budget import Account, Budget, Limits, Tally
from branchwise.orchestrator.core.errors import (
    AgentFormatError,
    BackendError,
    BudgetRefused,
    Failure,
    SandboxError,
    Suspended,
)
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion
from branchwise.orchestrator.core.judgement import Judgement, Source
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.roles import Grade, Pair, Reply, View
from branchwise.orchestrator.core.scope import current_scope, scope
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.engine.contest import Contest, Contested
from branchwise.orchestrator.engine.episode import Episode
from branchwise.orchestrator.engine.expand import Means, expand
from branchwise.orchestrator.engine.run import Run
from branchwise.orchestrator.journal.store import Journal

ROOT = Trajectory(problem("a problem"))
ONE_CALL = Usage(calls=1)


class Agent:
    """Uses one call and replies; or waits, or raises what it is told to, in a task group of its own if so wished."""

    def __init__(self, replies: int = 1, error: Exception | None = None, group: bool = False, wait: bool = False):
        self.replies, self.error, self.group, self.wait = replies, error, group, wait

    async def reply(self, view: View) -> list[Reply]:
        tally = current_scope().tally
        assert tally is not None
        tally.add("policy", ONE_CALL)
        if self.group:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._end())
        else:
            await self._end()
        return [Reply((Step(f"{k}"),), StopReason.ANSWERED) for k in range(self.replies)]

    async def _end(self) -> None:
        if self.wait:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    def bound(self, view: View) -> Usage:
        return NOTHING


async def ask(agent: Agent, seconds: float | None = None) -> tuple[Reply | Exception, Episode]:
    """What comes of asking an agent of a workflow, and the episode in which it was asked."""
    journal = Journal(None)
    budget = Budget.model_validate({"problem": {"seconds": seconds}})
    episode = Episode(Run(0, journal, {}, lambda trajectory: None, budget), ROOT.problem)
    try:
        return await episode.ask("node", agent, View(ROOT, 0), "reviewer", Price()), episode
    except Exception as error:
        return error, episode
    finally:
        journal.close()


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("error", [BackendError("away"), BudgetRefused("run", "calls", 1, 2), ZeroDivisionError()])
async def test_what_an_agent_raises_is_heard_as_it_is(error: Exception, group: bool) -> None:
    heard, episode = await ask(Agent(error=error, group=group))
    assert heard is error
    assert episode.drawn.total == ONE_CALL


async def test_only_the_problems_own_clock_is_a_budget_of_time() -> None:
    late, _ = await ask(Agent(wait=True), seconds=0.05)
    assert isinstance(late, BudgetRefused)
    assert late.resource == "seconds"
    for seconds in (None, 60.0):
        own, _ = await ask(Agent(error=TimeoutError("a tool of its own")), seconds)
        assert isinstance(own, TimeoutError)


@pytest.mark.parametrize("replies", [0, 2])
async def test_an_agent_gives_one_reply_or_has_failed(replies: int) -> None:
    heard, episode = await ask(Agent(replies))
    assert isinstance(heard, AgentFormatError)
    assert str(heard) == f"{replies} replies to 1 draw"
    assert episode.drawn.total == ONE_CALL


class Judge:
    """Compares in a task group, in vain."""

    source: Source = "judge"

    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]:
        async with asyncio.TaskGroup() as group:
            group.create_task(Agent(error=BackendError("away")).reply(View(ROOT, 0)))
        raise AssertionError

    def bound(self, pair: Pair, more_tokens: int = 0) -> Usage:
        return NOTHING


async def test_a_judge_of_pairs_may_fail_in_a_task_group() -> None:
    entrants = [Candidate(ROOT.extend((Step(t),), k, StopReason.ANSWERED), Answer(t, t)) for k, t in enumerate("01")]
    contested = Contested(Contest("knockout", Judge()), entrants, seed=0)
    await contested.play(Account("problem", Limits()), Account("run", Limits()), None)
    assert contested.failures == [Failure("reward", "away")]
    assert contested.drawn.total == ONE_CALL


@pytest.mark.parametrize("later", [False, True])
async def test_an_answer_that_can_not_be_read_costs_its_candidate(later: bool) -> None:
    def at_once(trajectory: Trajectory) -> Answer:
        if trajectory.text == "1":
            raise SandboxError("the worker was killed")
        return Answer(trajectory.text, trajectory.text)

    async def in_time(trajectory: Trajectory) -> Answer:
        return at_once(trajectory)

    means = Means(Agent(replies=3), None, in_time if later else at_once, 0)
    outcome = await expand(Expansion(0, ROOT, 3, to_end=True), means)
    assert [candidate.answer and candidate.answer.text for candidate in outcome.candidates] == ["0", None, "2"]
    failures = [candidate.failure for candidate in outcome.candidates]
    assert failures == [None, Failure("sandbox", "the worker was killed"), None]


@pytest.mark.parametrize("error", [Suspended("stop"), asyncio.CancelledError()])
async def test_what_an_expansion_used_is_told_also_where_it_comes_to_nothing(error: BaseException) -> None:
    class Ends(Agent):
        """Uses a call and ends."""

        async def _end(self) -> None:
            raise error

    tally = Tally()
    with scope(tally=tally), pytest.raises(type(error)):
        await expand(Expansion(0, ROOT), Means(Ends(), None, lambda trajectory: None, 0))
    assert tally.total == ONE_CALL


class Broken:
    """A task whose sandbox is away: where answers are read, or where they are graded."""

    name = "broken"

    def __init__(self, reads: bool) -> None:
        self.reads = reads

    def problems(self) -> list[Problem]:
        return [problem("1+1", "p")]

    async def answer(self, trajectory: Trajectory) -> Answer | None:
        if not self.reads:
            raise SandboxError("the sandbox is away")
        return Answer("2", "2")

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        raise SandboxError("the sandbox is away")


@pytest.mark.parametrize("reads", [True, False])
async def test_a_task_whose_sandbox_breaks_costs_a_verdict_or_a_reply(reads: bool) -> None:
    node = {"kind": "agent", "agent": {"kind": "solver", "model": "m"}}
    plan = {"models": {"m": {"kind": "scripted", "answers": ["so 2"]}}, "nodes": {"a": node}}
    (result,) = await solve_batch(Broken(reads), plan)
    assert "sandbox" in {failure.boundary for failure in result.failures}
    assert (result.answer, result.grade and result.grade.correct) == ("2" if reads else None, None)
