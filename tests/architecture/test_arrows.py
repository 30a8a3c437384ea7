"""Who may import whom: the arrows of the architecture, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("orchestrator", "agents", "sandboxes", "tasks")
MODELS = {"orchestrator.core"}
ALLOWED: dict[str, set[str]] = {
    "orchestrator.core": set(),
    "orchestrator.search": MODELS,
    "orchestrator.rewards": MODELS,
    "orchestrator.judges": MODELS,
    "orchestrator.backends": MODELS,
    "agents": MODELS,
    "sandboxes": MODELS,
    "tasks": MODELS,
    "orchestrator.journal": MODELS,
    "orchestrator.engine": MODELS | {"orchestrator.journal"},
    "orchestrator.workflow": MODELS | {"orchestrator.engine", "orchestrator.journal", "orchestrator.plugins"},
    "orchestrator.evaluation": MODELS | {"orchestrator.journal"},
    "orchestrator.report": MODELS | {"orchestrator.journal", "orchestrator.evaluation", "orchestrator.workflow"},
}
"""Folder -> what it may import besides itself. Files at the top of orchestrator/ (plugins, session, api, cli)
may import everything; commands/ and doctor/ belong to them."""

HEAVY = {
    "xllamacpp": {"orchestrator/backends/embedded.py"},
    "langgraph": {"orchestrator/workflow/compile.py"},
    "langsmith": {"orchestrator/workflow/compile.py"},
    "asyncio_throttle": {"orchestrator/backends/limiting.py"},
    "vllm": {"orchestrator/backends/vllm_engine.py"},
    "docker": set(),
    "sympy": {"tasks/math/forms.py"},
    "math_verify": {"tasks/math/forms.py"},
    "latex2sympy2_extended": {"tasks/math/forms.py"},
    "torch": set(),
    "alfworld": {"tasks/alfworld/opening.py"},
    "fast_downward": {"tasks/alfworld/opening.py"},
    "textworld": {"tasks/alfworld/opening.py", "tasks/alfworld/caches.py"},
}
"""Heavy packages and their one home."""


def files() -> list[Path]:
    return sorted(file for place in PLACES for file in (ROOT / place).rglob("*.py"))


def imports(file: Path) -> list[str]:
    """Absolute names of everything a file imports, also inside functions; not what is for type checkers only."""
    found = []
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found.append(node.module or "")
    return found


def folder_of(module: str) -> str:
    """orchestrator.core of branchwise.orchestrator.core.usage; orchestrator.api of branchwise.orchestrator.api."""
    parts = module.removeprefix("branchwise.").split(".")
    return ".".join(parts[:2]) if parts[0] == "orchestrator" else parts[0]


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_the_arrows_hold(file: Path) -> None:
    here = folder_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for module in imports(file):
        assert module.split(".")[0] not in PLACES, f"{module}: import it as branchwise.{module}"
        if module.startswith("branchwise.") and here in ALLOWED:
            there = folder_of(module)
            lazily = here == "orchestrator.core" and module == "branchwise.orchestrator.workflow.tree"
            assert there == here or there in ALLOWED[here] or lazily, f"{here} must not import {there}"


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_packages_stay_in_their_one_home(file: Path) -> None:
    for module in imports(file):
        homes = HEAVY.get(module.split(".")[0])
        assert homes is None or str(file.relative_to(ROOT)) in homes, f"{module} is imported in {file}"


def test_the_environment_is_read_at_the_edges_only() -> None:
    reading = {str(file.relative_to(ROOT)) for file in files() if "environ" in names(file) or "getenv" in names(file)}
    assert reading == {"orchestrator/cli.py", "orchestrator/api.py"}


def names(file: Path) -> set[str]:
    """The attributes that a file uses, and what it imports by name."""
    tree = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    imported = {alias.name for node in tree if isinstance(node, ast.ImportFrom) for alias in node.names}
    return imported | {node.attr for node in tree if isinstance(node, ast.Attribute)}


def test_core_knows_only_the_standard_library_and_pydantic() -> None:
    import sys

    for file in (ROOT / "orchestrator" / "core").glob("*.py"):
        for module in imports(file):
            top = module.split(".")[0]
            assert top in {"branchwise", "pydantic"} or top in sys.stdlib_module_names, f"{file.name}: {module}"
