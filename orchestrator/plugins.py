"""Plug-ins: from the name of a kind to the module that builds it.

A kind is a file in its role's folder that defines ``build`` (a task: a folder), or an entry point of the group
``branchwise.ROLE`` that names such a module. Nothing is registered anywhere; a wrong name is answered with
what exists.

A plug-in of another package that is broken stands in nobody's way: it is listed with its fault, and only what uses
its kind is refused. A kind of our own that is broken is our bug and fails loudly.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.options import JudgingOptions, ModelOptions, Options
from branchwise.orchestrator.core.suggesting import suggestion

Role = Literal["search", "reward", "judge", "agent", "backend", "task"]
FOLDERS: dict[Role, str] = {
    "search": "branchwise.orchestrator.search",
    "reward": "branchwise.orchestrator.rewards",
    "judge": "branchwise.orchestrator.judges",
    "agent": "branchwise.agents",
    "backend": "branchwise.orchestrator.backends",
    "task": "branchwise.tasks",
}
_ROOTS: dict[Role, type[Options]] = {"backend": ModelOptions, "reward": JudgingOptions, "judge": JudgingOptions}
_ALSO: dict[Role, tuple[str, ...]] = {"backend": ("CAPABILITIES",)}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of a role and the module that has it."""

    role: Role
    name: str
    module_name: str

    @property
    def built_in(self) -> bool:
        """True for a kind of this package."""
        return self.module_name == f"{FOLDERS[self.role]}.{self.name}"

    @property
    def fault(self) -> str:
        """What keeps a plug-in from being used; empty if nothing does."""
        return "" if self.built_in else _fault(self)

    @property
    def module(self) -> ModuleType:
        """The module, imported now. ConfigError where it is a broken plug-in."""
        if self.fault:
            raise ConfigError(self.refusal)
        return importlib.import_module(self.module_name)

    @property
    def refusal(self) -> str:
        """What to tell whoever wants to use a broken kind."""
        return f"the {self.role} kind '{self.name}' comes from {self.module_name}, which is broken: {self.fault}"

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


def usable(role: Role) -> dict[str, Kind]:
    """Every kind of a role that is not broken."""
    return {name: kind for name, kind in kinds(role).items() if not kind.fault}


def broken(name: str, valid: Collection[str]) -> Kind | None:
    """The broken kind of this name in the role whose usable kinds are ``valid``, if there is one."""
    roles = [role for role in FOLDERS if usable(role).keys() == set(valid)]
    return next((kinds(role)[name] for role in roles if name in kinds(role).keys() - usable(role).keys()), None)


def misplaced(name: str, valid: Collection[str]) -> str | None:
    """Why a judge of pairs can't stand where a reward is wanted, and what can; None where that is not the mistake."""
    if usable("reward").keys() != set(valid) or name not in usable("judge"):
        return None
    return (
        f"'{name}' judges pairs and gives no value to a single answer; compare each with a reference, "
        f"{{kind: against_reference, judge: {{kind: {name}, ...}}}}, or let a tournament choose the answer"
    )


def find(role: Role, name: str) -> Kind:
    """The kind of this name. ConfigError that names what exists, the nearest first."""
    if name in kinds(role):
        return kinds(role)[name]
    raise ConfigError(f"unknown {role} kind '{name}'{suggestion(name, list(kinds(role)))}")


@cache
def _fault(kind: Kind) -> str:
    try:
        module = importlib.import_module(kind.module_name)
    except (Exception, SystemExit) as error:  # whatever somebody else's code raises is told, and harms nobody else
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    options = getattr(module, "Options", None)
    root = _ROOTS.get(kind.role, Options)
    if not (isinstance(options, type) and issubclass(options, root)):
        return f"it defines no Options (a subclass of {root.__module__}.{root.__name__})"
    if get_args(options.model_fields["kind"].annotation) != (kind.name,):
        return f"its Options.kind is not Literal['{kind.name}']"
    missing = [name for name in ("build", *_ALSO.get(kind.role, ())) if not hasattr(module, name)]
    return f"it defines no {' and no '.join(missing)}" if missing else ""


def _defines_build(path: Path, is_package: bool) -> bool:
    file = path / "__init__.py" if is_package else path.with_suffix(".py")
    text = file.read_text(encoding="utf-8")
    return "def build(" in text or "import build" in text or "build as build" in text
