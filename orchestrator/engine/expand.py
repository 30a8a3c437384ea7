"""Expand: make one expansion happen. Propose children, score each as it arrives, give back the outcome.

A failure costs one candidate: it is written into the outcome and the siblings go on. A budget that refuses a
call ends the expansion with what it has. Being suspended or cancelled is the caller's business and passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from branchwise.orchestrator.core.budget import Tally
from branchwise.orchestrator.core.errors import (
    AgentFormatError,
    BoundaryError,
    BudgetRefused,
    ContextOverflow,
    Failure,
    RewardFailure,
    Suspended,
)
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement, failed
from branchwise.orchestrator.core.options import Price
from branchwise.orchestrator.core.roles import Agent, Answering, Reply, RewardModel, View
from branchwise.orchestrator.core.scope import current_scope, scope
from branchwise.orchestrator.core.seeds import seed_for
from branchwise.orchestrator.core.together import arrived, bare, together
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.engine.acting import Acting
from branchwise.orchestrator.engine.refusals import budget_stop
from branchwise.orchestrator.engine.worlds import Worlds


@dataclass(frozen=True, slots=True)
class Means:
    """What an expansion is made with: who proposes, who judges, how answers are read, and the user's seed.

    ``purpose`` is the role that the policies' draws are charged to, and part of their seeds. ``together`` draws an
    expansion's children in one request; else, with a reward, each has its own and is scored when it arrives.
    ``prices`` are those of the models by purpose; ``attempt`` counts earlier searches of the same node.
    ``policies`` are further ones by name: all are charged to one role, each has a purpose of its own. ``acts`` says
    that they act in a world, where every draw to the end is a request of its own.
    """

    policy: Agent
    reward: RewardModel | None
    answer: Answering
    seed: int
    purpose: str = "policy"
    together: bool = False
    prices: Mapping[str, Price] = field(default_factory=dict)
    attempt: int = 0
    policies: Mapping[str, Agent] = field(default_factory=dict)
    acts: bool = False

    def in_world(self, worlds: Worlds, strict: bool = False) -> Means:
        """The same, with policies whose proposals are acted out in a world."""
        policies: Mapping[str, Agent] = {name: Acting(each, worlds, strict) for name, each in self.policies.items()}
        return replace(self, policy=Acting(self.policy, worlds, strict), policies=policies, acts=True)

    def proposer(self, name: str | None) -> Agent:
        """The policy of this name; None is the node's own."""
        return self.policy if name is None else self.policies[name]

    def purpose_of(self, name: str | None) -> str:
        """What tells one policy's draws from another's: part of their seeds."""
        return self.purpose if name is None else arm(self.purpose, name)


def arm(purpose: str, name: str) -> str:
    """The purpose of a node's further policy."""
    return f"{purpose}:{name}"


async def expand(expansion: Expansion, means: Means) -> Outcome:
    """Grow ``expansion.count`` children; candidates come back in sibling order."""
    outer, tally, refusals = current_scope().tally, Tally(), list[StopReason]()
    try:
        with scope(tally=tally):
            jointly = means.reward is None or means.together
            if expansion.count == 1 or (jointly and not (means.acts and expansion.to_end)):
                candidates = await _grow(expansion, means, refusals)
            else:  # one request a child, so that each is scored when it arrives
                candidates = await _grow_singly(expansion, means, refusals)
    except (asyncio.CancelledError, Suspended):
        if outer is not None:  # what a cancelled ticket used is told to whoever cancelled it
            outer.merge(tally)
        raise
    usage = tuple(sorted(tally.by_role.items()))
    return Outcome(expansion.ticket, tuple(candidates), usage, refusals[0] if refusals else None)


async def _grow_singly(expansion: Expansion, means: Means, refusals: list[StopReason]) -> list[Candidate]:
    """One request a child. If the run is being suspended, the others come to rest first."""
    siblings = range(expansion.first, expansion.first + expansion.count)
    grown = await together([_grow(replace(expansion, count=1, first=k), means, refusals) for k in siblings])
    return [candidate for candidates in grown for candidate in candidates]


async def _grow(expansion: Expansion, means: Means, refusals: list[StopReason]) -> list[Candidate]:
    """Propose the children of one request and score them."""
    parent = expansion.parent.stem
    siblings = range(expansion.first, expansion.first + expansion.count)
    try:
        with scope(role=means.purpose):
            replies = await bare(means.proposer(expansion.policy).reply(view_of(expansion, means)))
    except ContextOverflow:
        return [_stopped(parent, k, StopReason.CONTEXT_OVERFLOW) for k in siblings]
    except BudgetRefused as refused:
        reason = budget_stop(refused)
        refusals.append(reason)
        return [_stopped(parent, k, reason) for k in siblings]
    except BoundaryError as error:
        return [_lost(parent, k, error.failure()) for k in siblings]
    if len(replies) != expansion.count:
        failure = AgentFormatError(f"{len(replies)} replies to {expansion.count} draws").failure()
        return [_lost(parent, k, failure) for k in siblings]
    refusals += [reply.stop for reply in replies if reply.stop is not None and reply.stop.is_budget]
    grown = [await _child(parent, reply, k, means) for k, reply in zip(siblings, replies, strict=True)]
    return await _judge(grown, means, refusals) if expansion.judge else grown


async def _judge(children: list[Candidate], means: Means, refusals: list[StopReason]) -> list[Candidate]:
    grown = [candidate for candidate in children if _whole(candidate)]
    if means.reward is None or not grown:
        return children
    try:
        with scope(role="verifier"):
            judgements = await bare(means.reward.score([candidate.trajectory for candidate in grown]))
        if len(judgements) != len(grown):
            raise RewardFailure(f"{len(judgements)} judgements of {len(grown)} trajectories")
    except BudgetRefused as refused:
        refusals.append(budget_stop(refused))
        return children
    except BoundaryError as error:
        judgements = [failed(str(error), means.reward.source) for _ in grown]
    verdicts = iter(judgements)
    return [_judged(child, next(verdicts)) if _whole(child) else child for child in children]


def _whole(candidate: Candidate) -> bool:
    """Neither lost to a failure nor cut short by a budget: the others are not judged."""
    return candidate.alive or candidate.done


def view_of(expansion: Expansion, means: Means) -> View:
    """What the policy sees of an expansion; its seed comes from the parent's lineage."""
    parent, stem = expansion.parent, expansion.parent.stem
    purpose = means.purpose_of(expansion.policy)
    seed = seed_for(means.seed, parent.problem.id, parent.lineage, purpose, expansion.first, means.attempt)
    draft = parent.text if parent.terminal else None
    return View(stem, seed, expansion.count, expansion.to_end, expansion.temperature, draft, first=expansion.first)


async def _child(parent: Trajectory, reply: Reply, sibling: int, means: Means) -> Candidate:
    if reply.failure is not None:
        return _lost(parent, sibling, reply.failure)
    trajectory = parent.extend(reply.steps, sibling, reply.stop)
    try:
        answer = await _answer(trajectory, means)
    except BoundaryError as error:
        return _lost(parent, sibling, error.failure())
    reward = reply.steps[-1].reward if reply.steps else None
    return Candidate(trajectory, answer, parent_steps=len(parent.steps), key=reply.key, reward=reward)


async def _answer(trajectory: Trajectory, means: Means) -> Answer | None:
    """The answer that a trajectory states at its end; one that a budget cut short has not come to it."""
    if trajectory.stop is None or trajectory.stop.is_budget:
        return None
    return await bare(arrived(means.answer(trajectory)))


def _judged(candidate: Candidate, judgement: Judgement) -> Candidate:
    """The candidate with its judgement; each step keeps the score that a process reward gave it."""
    trajectory, values = candidate.trajectory, judgement.step_values
    if values and len(values) == len(trajectory.steps):
        steps = tuple(
            step if step.score == value else _scored(step, value)
            for step, value in zip(trajectory.steps, values, strict=True)
        )
        trajectory = replace(trajectory, steps=steps)
    return replace(candidate, trajectory=trajectory, judgement=judgement)


def _scored(s: Step, value: float) -> Step:
    return Step(s.text, s.observation, s.logprob, s.model, value, s.action, s.reward, s.tokens)


def _stopped(parent: Trajectory, sibling: int, reason: StopReason) -> Candidate:
    return Candidate(parent.extend((), sibling, reason), parent_steps=len(parent.steps))


def _lost(parent: Trajectory, sibling: int, failure: Failure) -> Candidate:
    return Candidate(parent.extend((), sibling, StopReason.FAILED), failure=failure, parent_steps=len(parent.steps))


def bound_of(expansion: Expansion, means: Means) -> list[tuple[str, Usage]]:
    """The most that one child of this expansion can use and cost, by role."""
    proposing = means.proposer(expansion.policy).bound(view_of(replace(expansion, count=1), means))
    bounds = [(means.purpose, _priced(proposing, means.purpose_of(expansion.policy), means))]
    if means.reward is not None and expansion.judge:
        steps = None if expansion.to_end else 1
        judging = means.reward.bound(expansion.parent.stem, proposing.completion_tokens, steps)
        bounds.append(("verifier", _priced(judging, "verifier", means)))
    return bounds


def _priced(usage: Usage, purpose: str, means: Means) -> Usage:
    return means.prices[purpose].bound(usage) if purpose in means.prices else usage
