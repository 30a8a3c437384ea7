"""Acting: a policy in a world. What it proposes is done, and what the world then shows belongs to the step.

1. The policy is shown the world as it stands at the end of the trajectory, and proposes one action a draw.
2. The world does it; the step gets the action, what was observed and the reward. The trajectory ends when the world
   says so, at the step limit, or where the policy itself ends.
3. A draw to the end alternates 1 and 2; action n of it has a seed of its own, made of the draw's.

A world that breaks costs the draw that was under way in it. One that a budget cuts short, or a prompt that got too
long, keeps the steps that were done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from branchwise.orchestrator.core.errors import (
    AgentFormatError,
    BudgetRefused,
    ContextOverflow,
    EnvironmentFailure,
)
from branchwise.orchestrator.core.roles import Agent, Reply, View
from branchwise.orchestrator.core.seeds import SEED_SPACE, seed_for
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.core.world import Observation
from branchwise.orchestrator.engine.refusals import budget_stop
from branchwise.orchestrator.engine.worlds import Worlds

ACTABLE = (None, StopReason.ANSWERED)
"""Ends of a reply after which its last step is whole."""


@dataclass(frozen=True, slots=True)
class Acting:
    """An agent whose replies have been acted out. ``strict`` refuses prompts longer than ``bound`` foresaw."""

    policy: Agent
    worlds: Worlds
    strict: bool = False

    async def reply(self, view: View) -> list[Reply]:
        """``view.count`` replies, in sibling order; each says whether the world broke under it."""
        if not view.to_end:
            return await self._once(view, view)
        draws = [(view.seed + k) % SEED_SPACE for k in range(view.count)]
        return [
            await self._play(replace(view, seed=draw, count=1, first=view.first + k)) for k, draw in enumerate(draws)
        ]

    def bound(self, view: View) -> Usage:
        """The most that ``reply`` can use: for each turn the policy's own bound and what the world may show."""
        once, world = self.policy.bound(replace(view, to_end=False)), self.worlds.world
        turns = max(1, world.max_steps - len(view.trajectory.steps)) if view.to_end else 1
        return Usage(
            turns * (once.prompt_tokens + once.calls * world.prompt_tokens),
            turns * once.completion_tokens,
            calls=turns * once.calls,
            exact=False,
        )

    async def _once(self, view: View, booked: View) -> list[Reply]:
        """One action a draw, from one request; ``booked`` is the view that its bound was made of."""
        try:
            opening, here = await self.worlds.at(()), await self.worlds.at(view.trajectory.steps)
        except EnvironmentFailure as error:
            return [Reply((), StopReason.FAILED, failure=error.failure()) for _ in range(view.count)]
        seeing = replace(view, opening=opening.text, actions=here.actions)
        self._check(seeing, booked)
        replies = await self.policy.reply(seeing)
        if len(replies) != view.count:
            raise AgentFormatError(f"{len(replies)} replies to {view.count} draws")
        return [await self._act(view, number, reply) for number, reply in enumerate(replies)]

    async def _play(self, view: View) -> Reply:
        """One draw to the end: policy and world in turn."""
        steps: tuple[Step, ...] = ()
        while True:
            trajectory = replace(view.trajectory, steps=view.trajectory.steps + steps)
            seed = seed_for(view.seed, trajectory.problem.id, (len(steps),), "action") if steps else view.seed
            try:
                (reply,) = await self._once(replace(view, trajectory=trajectory, seed=seed, to_end=False), view)
            except ContextOverflow:
                if not steps:
                    raise
                return Reply(steps, StopReason.CONTEXT_OVERFLOW)
            except BudgetRefused as refused:
                if not steps:
                    raise
                return Reply(steps, budget_stop(refused))
            steps += reply.steps
            if reply.stop is not None:
                return replace(reply, steps=steps)

    async def _act(self, view: View, number: int, reply: Reply) -> Reply:
        """Do what a reply proposes."""
        if reply.stop not in ACTABLE:
            return reply
        if not reply.steps:
            return replace(reply, stop=reply.stop or StopReason.BAD_FORMAT)
        done, seen = view.trajectory.steps, Observation("")
        for step in reply.steps:
            action = step.text.strip() if step.action is None else step.action
            try:
                seen = await self.worlds.step(
                    done, action, f"{view.trajectory.lineage} {view.seed}+{number} {len(done)}"
                )
            except EnvironmentFailure as error:
                return replace(reply, stop=StopReason.FAILED, failure=error.failure())
            done += (replace(step, action=action, observation=seen.text, reward=seen.reward),)
            if seen.done or len(done) >= self.worlds.world.max_steps:
                break
        over = StopReason.MAX_DEPTH if len(done) >= self.worlds.world.max_steps else reply.stop
        stop = StopReason.ENVIRONMENT_DONE if seen.done else over
        return replace(reply, steps=done[len(view.trajectory.steps) :], stop=stop, key=seen.key)

    def _check(self, seeing: View, booked: View) -> None:
        """A hard budget is never overshot, even where a world shows more than it declared."""
        if self.strict:
            most, wanted = self.bound(replace(booked, to_end=False)).tokens, self.policy.bound(seeing).tokens
            if wanted > most:
                raise BudgetRefused("draw", "tokens", most, wanted)
