"""References: the rewards that reference answers were given, by problem, from a file: a JSON object a line.

    {"problem": "test/7", "rewards": [-1.2, 0.3, 2.1]}

What a good reward is differs from problem to problem: a reference for one says nothing about another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from branchwise.orchestrator.core.errors import ConfigError

ByProblem = Mapping[str, tuple[float, ...]]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    problem: str = Field(min_length=1)
    rewards: tuple[float, ...] = Field(min_length=1)


def read_references(path: Path) -> ByProblem:
    """The rewards by problem. ConfigError names file, line and key of the first thing that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"references {path}: {getattr(error, 'strerror', None) or error}") from error
    found = dict[str, tuple[float, ...]]()
    for place, text in (
        (f"references {path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()
    ):
        line = _line(place, text)
        if line.problem in found:
            raise ConfigError(f"{place}: problem '{line.problem}' has a line already")
        found[line.problem] = line.rewards
    if not found:
        raise ConfigError(f"references {path}: there are none in it")
    return found


def _line(place: str, text: str) -> _Line:
    try:
        return _Line.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{place}: {key + ': ' if key else ''}{first['msg']}") from None
