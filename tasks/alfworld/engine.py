"""The ALFWorld engine, blocking: one game of TextWorld's PDDL environment, with snapshots of its planner's state.

1. The planner library keeps every state that it has met under a number. A snapshot is that number, how the facts on
   the Python side differ from the start, and the environment's last state; to restore puts all three back.
2. ``key`` is a digest of what differs from the start. The planner's number would not do: it depends on the order in
   which states were met, so on timing, and another process counts anew. What was looked at is left out of it, since
   it changes nothing that can be done or won.
3. The first game that is opened with caches is played a few steps without and with them. Where anything that is shown
   differs, they stay off.

Not safe in threads, not even one game each: everything here runs in one thread (world.py).
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int
from dataclasses import dataclass
from typing import Any, Final

from branchwise.orchestrator.core.errors import ConfigError, EnvironmentFailure
from branchwise.tasks.alfworld.caches import switch
from branchwise.tasks.alfworld.games import Game
from branchwise.tasks.alfworld.opening import give_back, opened

IRRELEVANT: Final = ("not_", "checked", "examined", "ison")
"""Facts that no action, goal or text depends on: negations, what was looked at, whether a lamp is lit just now."""
CHECKED_STEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """What the engine shows."""

    text: str
    won: bool
    commands: tuple[str, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of one opened game."""

    number: int
    added: frozenset[Any]
    removed: frozenset[Any]
    held: tuple[Any, ...]


class Engine:
    """One game, from its start on. EnvironmentFailure where the engine breaks, ConfigError where it is missing."""

    def __init__(self, game: Game, cached: bool = True) -> None:
        self._cached, self._keys = False, dict[int, str]()
        with self._working():
            self._env = opened(game)
        self._pddl = self._env.unwrapped
        self._state = self._pddl._pddl_state
        self._library = self._state.downward_lib
        self._library.get_state_id.argtypes, self._library.get_state_id.restype = [], c_int
        self._library.set_state_id.argtypes, self._library.set_state_id.restype = [c_int], None
        self._start = frozenset(self._state.facts)
        self.seen = self._shown(self._env.state.feedback.partition("\n\n")[2])  # less the banner
        self._cached = cached and _trusted(self)

    def step(self, command: str) -> Shown:
        """What comes of a command; ``put X in/on Y`` is understood as ``move X to Y``."""
        with self._working():
            state, _, _ = self._env.step(in_this_wording(command))
            self.seen = self._shown(state.feedback)
        return self.seen

    def snapshot(self) -> Snapshot:
        """The state that the game is in."""
        facts, env = frozenset(self._state.facts), self._pddl
        held = (env.state, env.prev_state, env._last_action, env._moves, self.seen)
        return Snapshot(self._library.get_state_id(), facts - self._start, self._start - facts, held)

    def restore(self, snapshot: Snapshot) -> None:
        """Be in that state again; it must be a snapshot of this game's."""
        with self._working():
            facts = frozenset(self._state.facts)
            wanted = (self._start - snapshot.removed) | snapshot.added
            for fact in facts ^ wanted:  # not by add_fact and remove_fact, whose counts of variables would run dry
                of_this_kind = self._state._facts[fact.signature]
                (of_this_kind.add if fact in wanted else of_this_kind.discard)(fact)
            self._library.set_state_id(snapshot.number)
            self._state.all_applicable_actions()
        env = self._pddl
        env.state, env.prev_state, env._last_action, env._moves, self.seen = snapshot.held

    def close(self) -> None:
        """Hand the planner library back."""
        give_back(self._library)

    @contextmanager
    def _working(self) -> Iterator[None]:
        switch(self._cached)
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:  # the engine raises whatever its parsers do: it has broken, not we
            raise EnvironmentFailure(f"ALFWorld: {type(error).__name__}: {error}"[:300]) from error

    def _shown(self, text: str) -> Shown:
        state, number = self._env.state, self._library.get_state_id()
        if number not in self._keys:
            self._keys[number] = self._digest()
        return Shown(text, bool(state["won"]), tuple(state["admissible_commands"]), self._keys[number])

    def _digest(self) -> str:
        changed = self._start.symmetric_difference(self._state.facts)
        facts = sorted(str(fact) for fact in changed if not fact.name.startswith(IRRELEVANT))
        return hashlib.blake2b("\n".join(facts).encode(), digest_size=12).hexdigest()


def in_this_wording(command: str) -> str:
    """A command in the wording that is played; the older one put things in or on others."""
    words = command.strip()
    if words.startswith("put ") and " in/on " in words:
        return words.replace("put ", "move ", 1).replace(" in/on ", " to ", 1)
    return words


_verdicts: dict[str, bool] = {}


def _trusted(engine: Engine) -> bool:
    """Whether caches change nothing, as seen in the first game of this process."""
    if "caches" not in _verdicts:
        start = engine.snapshot()
        plain = _played(engine, random.Random(0))
        engine._cached = True
        engine.restore(start)
        try:
            _verdicts["caches"] = _played(engine, random.Random(0)) == plain
        except EnvironmentFailure:
            _verdicts["caches"] = False
        engine._cached = False
        engine.restore(start)
        if not _verdicts["caches"]:
            logging.getLogger(__name__).warning("caches change what this version of ALFWorld shows: they stay off")
    return _verdicts["caches"]


def _played(engine: Engine, rng: random.Random) -> list[Shown]:
    """What some commands show, one after the other."""
    return [engine.step(rng.choice(engine.seen.commands)) for _ in range(CHECKED_STEPS)]
