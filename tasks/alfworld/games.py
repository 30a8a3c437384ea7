"""Games: what a user's files hold of ALFWorld games. Domain and grammar come from the installed package, always.

Two layouts are read: a game file of ALFWorld's (JSON with ``pddl_problem``, and the goal in its ``grammar``), and
JSON Lines, also compressed (``.jsonl.xz``), with ``pddl_problem`` and ``goal`` a row. A file's own grammar is not
used: it may be of another wording, and grammars are evaluated. A goal goes into the grammar, so it is plain words.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from branchwise.orchestrator.core.errors import ConfigError

_PLAIN: Final = re.compile(r"[A-Za-z0-9 ,'-]{1,500}")
_TASK: Final = re.compile(r"Your task is to: ([^\"\\\n]{1,500}?)\.?\"")


@dataclass(frozen=True, slots=True)
class Game:
    """A game: its id, the goal in words, the PDDL problem, and, where it is known, a way to win."""

    id: str
    goal: str
    problem: str
    kind: str = ""
    walkthrough: tuple[str, ...] = ()


def read_games(path: Path) -> tuple[list[Game], str]:
    """The games in a file and the file's hash. ConfigError names file and line."""
    try:
        content = path.expanduser().read_bytes()
        text = (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error
    games = list(_games(path, text))
    if not games:
        raise ConfigError(f"{path} holds no game")
    return games, hashlib.sha256(content).hexdigest()


def _games(path: Path, text: str) -> Iterator[Game]:
    if ".jsonl" not in path.suffixes:
        yield _game(str(path), path.stem, _row(str(path), text))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield _game(f"{path}:{number}", f"{path.name.partition('.')[0]}-{number}", _row(f"{path}:{number}", line))


def _row(where: str, text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("pddl_problem"), str):
        raise ConfigError(f"{where}: a game is a JSON object with the text pddl_problem")
    return row


def _game(where: str, name: str, row: dict[str, Any]) -> Game:
    goal = row.get("goal") or _goal_in(str(row.get("grammar", "")))
    if not isinstance(goal, str) or not _PLAIN.fullmatch(goal.strip(" .")):
        raise ConfigError(f"{where}: no goal in plain words: give it as `goal`, or in the grammar of a game file")
    game_id, kind, walkthrough = row.get("id", name), row.get("task_type", ""), row.get("walkthrough") or ()
    return Game(str(game_id), goal.strip(" ."), row["pddl_problem"], str(kind), tuple(map(str, walkthrough)))


def _goal_in(grammar: str) -> str:
    found = _TASK.search(grammar)
    return found[1] if found else ""
