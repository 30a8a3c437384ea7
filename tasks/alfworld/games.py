"""Games: what a user's files hold of ALFWorld games. Domain and grammar come from the installed package, always.

1. A game file of ALFWorld's is JSON with ``pddl_problem``, and the goal in its ``grammar``. All those below a folder
   are read in the order of their paths, which tell the type; those that are not solvable and two kinds of folders are
   left out, as ALFWorld does.
2. JSON Lines, also compressed (``.jsonl.xz``), have ``pddl_problem`` and ``goal`` a row.
3. A file's own grammar is not used: it may be of another wording, and grammars are evaluated. A goal goes into the
   grammar, so it is plain words.
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

FILE: Final = "game.tw-pddl"
LEFT_OUT: Final = ("movable", "Sliced")
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


def read_games(path: Path, kind: str | None = None, count: int | None = None) -> tuple[list[Game], str]:
    """The games in a file or below a folder, the first ``count`` of this type if that is wanted, and the hash of what
    was read. ConfigError names file and line.
    """
    found, digest, path = list[Game](), hashlib.sha256(), path.expanduser()
    for game in _below(path, kind, digest) if path.is_dir() else _games(path, _text(path, digest)):
        if kind in (None, game.kind):
            found.append(game)
        if len(found) == count:
            break
    if not found:
        raise ConfigError(f"{path} holds no game{f' of type {kind}' if kind else ''}")
    return found, digest.hexdigest()


def _text(path: Path, digest: hashlib._Hash) -> str:
    try:
        content = path.read_bytes()
        digest.update(content)
        return (lzma.decompress(content) if path.suffix == ".xz" else content).decode()
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error


def _below(folder: Path, kind: str | None, digest: hashlib._Hash) -> Iterator[Game]:
    """The games of a folder; those of another type are not even read."""
    for path in sorted(folder.rglob(FILE)):
        name = path.parent.relative_to(folder).as_posix()
        found = path.parent.parent.name.partition("-")[0]
        if kind in (None, found) and not any(part in str(path.parent) for part in LEFT_OUT):
            row = _row(str(path), _text(path, digest))
            if row.get("solvable", True):
                yield _game(str(path), name, {"task_type": found} | row)


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
