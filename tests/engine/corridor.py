"""A world for tests: a corridor of rooms. It counts what is done to it and misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from branchwise.orchestrator.core.errors import EnvironmentFailure
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.problem import Problem, problem
from branchwise.orchestrator.core.roles import Environment, Grade
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.core.world import Observation, World

ACTIONS = ("left", "right", "wait")


@dataclass
class Corridor:
    """One episode: from room 0 to room ``goal``. ``counts`` is shared by all episodes of a task."""

    goal: int
    counts: Counter[str]
    breaks: str = ""
    forgets: bool = False
    room: int = 0
    path: list[str] = field(default_factory=list)

    async def start(self) -> Observation:
        """Room 0."""
        assert not self.path, "started twice"
        self.counts["start"] += 1
        self.counts["live"] += 1
        self.counts["most"] = max(self.counts["most"], self.counts["live"])
        return self._seen()

    async def step(self, action: str) -> Observation:
        """One room on, one back, or none."""
        self.counts["step"] += 1
        await (asyncio.Event().wait() if action == "hang" else asyncio.sleep(0))
        if action == self.breaks:
            raise EnvironmentFailure(f"{action} breaks it")
        self.path.append(action)
        self.room += {"left": -1, "right": 1}.get(action, 0)
        return self._seen()

    async def snapshot(self) -> object:
        """Where one stands, and how one came there."""
        self.counts["snapshot"] += 1
        return self.room, tuple(self.path)

    async def restore(self, snapshot: object) -> None:
        """Stand there again."""
        self.counts["restore"] += 1
        assert isinstance(snapshot, tuple)
        self.room, self.path = snapshot[0], list(snapshot[1])

    async def aclose(self) -> None:
        """Count it."""
        self.counts["live"] -= 1

    def _seen(self) -> Observation:
        won = self.room == self.goal
        text = f"room {self.room}" + (f", memory of {self.counts['step']} steps" if self.forgets else "")
        return Observation(text, float(won), won, str(self.room), ACTIONS)


class CorridorTask:
    """Problems with goals 1, 2, ...; the answer is the way."""

    name = "corridor"

    def __init__(self, world: World, count: int = 1, breaks: str = "", forgets: bool = False) -> None:
        self.world, self.counts = world, Counter[str]()
        self._count, self._breaks, self._forgets = count, breaks, forgets

    def problems(self) -> Iterator[Problem]:
        """Goal n + 1 for problem n."""
        return (problem(f"Go to room {number + 1}.", f"corridor-{number}") for number in range(self._count))

    def environment(self, of: Problem) -> Environment:
        """A corridor for one episode."""
        goal = int(of.id.rpartition("-")[2]) + 1
        return Corridor(goal, self.counts, self._breaks, self._forgets)

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """The actions that led to the goal."""
        if trajectory.stop is not StopReason.ENVIRONMENT_DONE:
            return None
        way = " ".join(step.action or "" for step in trajectory.steps)
        return Answer(way, way)

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 if the actions lead to the goal."""
        moves = [{"left": -1, "right": 1}.get(action, 0) for action in (answer or "").split()]
        return Grade(float(sum(moves) == int(problem_id.rpartition("-")[2]) + 1))
