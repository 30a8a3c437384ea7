"""The ALFWorld task: household games in text, from a file or made up, acted out on the real engine.

1. A problem's message is the game's goal. What the room looks like is for the world to show (world.py).
2. The answer of an episode that the world ended is the commands that won; all that won are one vote.
3. The key is the engine: to grade, another instance plays the commands again.
4. What is played goes on record: versions, wording, step limit, where the games are from. The planner and the facts
   of the engine stay off, since both give the solution away.

ALFWorld: Shridhar et al. 2020, arXiv 2010.03768. It is an extra, not a part of this package.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Answer
from branchwise.orchestrator.core.message import user
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Environment, Grade
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.core.world import World
from branchwise.tasks.alfworld.games import Game, read_games
from branchwise.tasks.alfworld.generator import MAX_RECEPTACLES, TYPES, generated
from branchwise.tasks.alfworld.opening import WORDING, package
from branchwise.tasks.alfworld.world import Alfworld, wins

BETWEEN: Final = "; "
PACKAGES: Final = ("alfworld", "textworld", "fast_downward_textworld")


class Options(_Options):
    """Which games, and how they are played."""

    kind: Literal["alfworld"] = "alfworld"
    path: Path | None = Field(
        None,
        description="A folder of games, a game file, or .jsonl or .jsonl.xz with pddl_problem and goal; default: "
        "games made up.",
    )
    type: str | None = Field(None, description="Only games of this type, such as pick_heat_then_place_in_recep.")
    count: int | None = Field(None, gt=0, le=100_000, description="Number of games; default: 6, or all of the file.")
    receptacles: int = Field(
        10, ge=5, le=MAX_RECEPTACLES, description="Of a game that is made up: places to look in and to put things."
    )
    objects: int = Field(12, ge=2, le=60, description="Of a game that is made up: things that lie about.")
    max_steps: int = Field(50, gt=0, description="Commands after which an episode ends.")
    caches: bool = Field(True, description="Parse each text of the engine's grammar once: about twenty times faster.")
    seed: int | None = Field(None, description="Which games are made up; default: the run's seed.")


class AlfworldTask:
    """A fixed list of games. ``content_sha256`` is the hash of the file that they are from."""

    name = "alfworld"

    def __init__(self, games: Sequence[Game], world: World, cached: bool, content_sha256: str | None = None) -> None:
        self._games = {game.id: game for game in games}
        self.world, self.content_sha256 = world, content_sha256
        self._cached = cached

    def problems(self) -> Iterator[Problem]:
        """The games, in file order or in the order in which they were made up."""
        for game in self._games.values():
            yield Problem(game.id, (user(f"Your task is to: {game.goal}."),), {"type": game.kind})

    def environment(self, of: Problem) -> Environment:
        """One episode of this problem's game; KeyError for an unknown problem."""
        return Alfworld(self._games[of.id], self._cached)

    def answer(self, trajectory: Trajectory) -> Answer | None:
        """The commands, if the world ended the episode: it does so when the game is won."""
        if trajectory.stop is not StopReason.ENVIRONMENT_DONE:
            return None
        return Answer(BETWEEN.join(step.action or "" for step in trajectory.steps), "won")

    def grade(self, problem_id: str, answer: str | None) -> Grade:
        """1 if the commands win the game when they are played again, else 0; KeyError for an unknown problem."""
        game = self._games[problem_id]
        return Grade(float(answer is not None and wins(game, answer.split(BETWEEN))))


def build(options: Options, *, seed: int = 0) -> AlfworldTask:
    """The task. ConfigError where the package is not installed, or there is no such game."""
    package()
    games, content, source = _games(options, seed)
    world = World(
        repeatable=True,
        snapshots=True,
        max_steps=options.max_steps,
        prompt_tokens=8192,
        facts={
            **{name: version(name) for name in PACKAGES},
            "wording": WORDING,
            "games": source,
            "max_steps": str(options.max_steps),
        },
    )
    return AlfworldTask(games, world, options.caches, content)


def _games(options: Options, seed: int) -> tuple[list[Game], str | None, str]:
    if options.type not in (None, *TYPES):
        raise ConfigError(f"alfworld: there is no type {options.type}; the types are {', '.join(TYPES)}")
    if options.path is None:
        rng = random.Random(options.seed if options.seed is not None else seed)
        types = [options.type] if options.type else list(TYPES)
        count = options.count or len(TYPES)
        made = [generated(rng, types[n % len(types)], options.receptacles, options.objects, n) for n in range(count)]
        return made, None, "made up"
    games, content = read_games(options.path, options.type, options.count)
    if len({game.id for game in games}) < len(games):
        raise ConfigError(f"{options.path}: two games have the same id")
    return games, content, options.path.name
