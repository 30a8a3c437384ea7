"""The public names of the package, and that importing it stays light. A change here is a change of the API."""

import subprocess
import sys
from pathlib import Path

import pytest

import branchwise

SOLVING = {
    "as_node",
    "solve",
    "solve_batch",
    "solve_iter",
    "solve_events",
    "solve_sync",
    "solve_batch_sync",
    "load_task",
    "load_workflow",
    "read_tree",
}
NOUNS = {
    "Workflow", "Budget", "Problem", "problem", "Result", "Trajectory", "Step", "StopReason", "Answer", "Judgement",
    "Candidate", "Expansion", "Outcome", "Usage", "Request", "Draw", "ScriptedBackend", "NodeStatistics",
}  # fmt: skip
ERRORS = {
    "BranchwiseError", "ConfigError", "JournalError", "Suspended", "BudgetRefused", "BoundaryError", "BackendError",
    "ContextOverflow", "SandboxError", "EnvironmentFailure", "RewardFailure", "AgentFormatError",
}  # fmt: skip
HEAVY = (
    "torch", "vllm", "langgraph", "networkx", "sympy", "docker", "aiohttp", "rich", "xllamacpp", "yaml", "pydantic",
    "asyncio", "branchwise.orchestrator",
)  # fmt: skip


def test_these_and_no_other_names_are_public() -> None:
    assert set(branchwise.__all__) == SOLVING | NOUNS | ERRORS | {"__version__"}


@pytest.mark.parametrize("name", branchwise.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(branchwise, name) is not None
    assert name in dir(branchwise)


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="sovle"):
        branchwise.sovle  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    text = Path(branchwise.__file__).read_text(encoding="utf-8")
    shown = text.partition("if TYPE_CHECKING:")[2].partition("__all__")[0]
    for name in branchwise.__all__:
        assert f" {name}" in shown


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, branchwise; print([m for m in {HEAVY!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_command_line_imports_nothing_heavy_to_say_its_version() -> None:
    code = "import sys; from branchwise.orchestrator.cli import main\n"
    code += "try: main(['--version'])\nexcept SystemExit: pass\n"
    code += f"print([m for m in {HEAVY[:-2]!r} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[0].startswith("branchwise ")
    assert ran.stdout.split("\n")[1] == "[]"
