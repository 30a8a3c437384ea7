"""Plug-ins: from the name of a kind to the module that builds it.

A kind is a file in its role's folder that defines ``build`` (a task: a folder), or an entry point of the group
``branchwise.ROLE`` that names such a module. Nothing is registered anywhere; a wrong name is answered with
what exists.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from branchwise.orchestrator.core.errors import ConfigError

Role = Literal["search", "reward", "agent", "backend", "task"]
FOLDERS: dict[Role, str] = {
    "search": "branchwise.orchestrator.search",
    "reward": "branchwise.orchestrator.rewards",
    "agent": "branchwise.agents",
    "backend": "branchwise.orchestrator.backends",
    "task": "branchwise.tasks",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of a role and the module that has it."""

    role: Role
    name: str
    module_name: str

    @property
    def module(self) -> ModuleType:
        """The module, imported now."""
        return importlib.import_module(self.module_name)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (self.module.__doc__ or "").strip().split("\n")[0]


@cache
def kinds(role: Role) -> dict[str, Kind]:
    """Every kind of a role by name: the built-in ones, then those of installed packages."""
    package = importlib.import_module(FOLDERS[role])
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        if _defines_build(Path(str(info.module_finder.path), info.name), info.ispkg):  # type: ignore[union-attr]
            found[info.name] = Kind(role, info.name, f"{FOLDERS[role]}.{info.name}")
    for entry in entry_points(group=f"branchwise.{role}"):
        found.setdefault(entry.name, Kind(role, entry.name, entry.value))
    return dict(sorted(found.items()))


def find(role: Role, name: str) -> Kind:
    """The kind of this name. ConfigError that names what exists, the nearest first."""
    if name in kinds(role):
        return kinds(role)[name]
    raise ConfigError(f"unknown {role} kind '{name}'{suggestion(name, list(kinds(role)))}")


def suggestion(name: str, valid: list[str]) -> str:
    """What to add to an error about a wrong name."""
    near = get_close_matches(name, valid, n=1, cutoff=0.5)
    return (f"; did you mean '{near[0]}'?" if near else "") + f" (there are: {', '.join(valid)})"


def _defines_build(path: Path, is_package: bool) -> bool:
    file = path / "__init__.py" if is_package else path.with_suffix(".py")
    text = file.read_text(encoding="utf-8")
    return "def build(" in text or "import build" in text or "build as build" in text
