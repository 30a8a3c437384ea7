"""Opening a game of ALFWorld, without AlfredTWEnv's folders and files, as quickly as may be.

1. PddlEnv takes the game as a dict, AlfredDemangler names its things ("desk 1"). Domain and grammar are the installed
   package's; the grammar gets the game's goal.
2. The problem is translated once, not four times as load and reset do between them: every second translation is for
   planning, which would give the solution away, and reset's repeats load's.
3. The planner library can't be unloaded safely, and every copy of it takes memory, so closed games hand theirs on.

What opening overwrites is put back: ``sys.argv``, and ``sys.stdout``, which swallows what others print meanwhile.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.tasks.alfworld.games import Game

WORDING: Final = "0.4"
"""The wording of the grammar that the package ships since this version: "move X to Y", "You arrive at desk 1."."""
_GOAL: Final = "UNKNOWN GOAL"
_idle_libraries: list[Any] = []


def package() -> Path:
    """The folder of the installed package. ConfigError that says how to install it."""
    spec = importlib.util.find_spec("alfworld")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("ALFWorld is not installed: pip install 'branchwise[alfworld]' (it needs a C++ compiler)")
    return Path(spec.submodule_search_locations[0])


def opened(game: Game) -> Any:
    """The environment of a game, at its start."""
    data = package() / "data"
    with _undisturbed(data):
        import fast_downward
        import textworld
        from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
        from textworld.envs.pddl import PddlEnv, logic

        with ExitStack() as patched:
            patched.enter_context(mock.patch.object(fast_downward, "load_lib", _library(fast_downward.load_lib)))
            patched.enter_context(mock.patch.object(fast_downward, "pddl2sas", _once(fast_downward.pddl2sas)))
            env = AlfredDemangler(PddlEnv(textworld.EnvInfos(won=True, admissible_commands=True)))
            grammar = (data / "alfred.twl2").read_text().replace(_GOAL, game.goal)
            domain = (data / "alfred.pddl").read_text()
            env.load({"pddl_domain": domain, "grammar": grammar, "pddl_problem": game.problem})
            patched.enter_context(mock.patch.object(logic, "PddlState", return_value=env.unwrapped._pddl_state))
            env.reset()
    return env


def give_back(library: Any) -> None:
    """Keep a planner library for the next game."""
    library.cleanup()
    _idle_libraries.append(library)


def _library(load: Any) -> Any:
    return lambda: _idle_libraries.pop() if _idle_libraries else load()


def _once(translate: Any) -> Any:
    """The planner is handed the same translation as the engine: nobody asks it for a plan."""
    done: list[Any] = []

    def translated(*arguments: Any, **options: Any) -> Any:
        done[:] = done or [translate(*arguments, **{**options, "optimize": False})]
        return done[0]

    return translated


@contextmanager
def _undisturbed(data: Path) -> Iterator[None]:
    arguments, output = sys.argv, sys.stdout
    try:
        with mock.patch.dict("os.environ", ALFWORLD_DATA=str(data)):  # else it makes a folder in the user's home
            yield
    finally:
        sys.argv, sys.stdout = arguments, output
