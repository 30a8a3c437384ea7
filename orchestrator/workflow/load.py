"""Load a workflow: from a YAML file, or from plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.workflow.spec import Workflow
from branchwise.orchestrator.workflow.yaml_file import Lines, apply_setting, read_yaml, validated


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workflow, the data it was made of before ``${NAME}`` was filled in, and where its paths start.

    ``source`` and ``lines`` say where each key was written, for messages; ``cache`` where pulled models lie, None
    for the usual place.
    """

    workflow: Workflow
    data: Any
    directory: Path
    source: str = "workflow"
    lines: Lines = field(default_factory=dict)
    cache: Path | None = None

    def model(self, name: str) -> ModelOptions:
        """The options of one model, as they are to be used: its files are found."""
        return self.workflow.models[name].located(self.directory, self.cache)


def load_workflow(path: Path, environment: Mapping[str, str], settings: tuple[str, ...] = ()) -> Loaded:
    """The workflow in a YAML file, with ``settings`` such as a.b.c=8 applied. ConfigError with file, line and key."""
    data, lines = read_yaml(path)
    for setting in settings:
        apply_setting(data, setting)
    return read_workflow(data, environment, path.parent, str(path), lines)


def read_workflow(
    data: Any,
    environment: Mapping[str, str],
    directory: Path,
    source: str = "workflow",
    lines: Lines | None = None,
) -> Loaded:
    """A workflow from plain data; errors name ``source``."""
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: a workflow is a mapping with the keys models and nodes")
    lines = lines or {}
    return Loaded(validated(Workflow, data, environment, source, lines), data, directory, source, lines)
