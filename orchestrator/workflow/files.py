"""Files that a workflow names, besides its models': what is in them decides how it judges, as the workflow does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.validate import parts_of
from branchwise.orchestrator.workflow.yaml_file import Place, written_at


def files_of(loaded: Loaded) -> dict[str, str]:
    """The SHA-256 of each file that an option of a part names, by its path as written.

    ConfigError names the place where one is named that can't be read.
    """
    return {str(path): _hash(loaded, place, path) for place, path in _named(loaded)}


def _named(loaded: Loaded) -> Iterator[tuple[Place, Path]]:
    for place, _, part in parts_of(loaded.workflow):
        for name in type(part).model_fields:
            if isinstance(value := getattr(part, name), Path):
                yield (*place, name), value


def _hash(loaded: Loaded, place: Place, path: Path) -> str:
    try:
        return hashlib.sha256((loaded.directory / path).read_bytes()).hexdigest()
    except OSError as error:
        where = written_at(place, loaded.source, loaded.lines)
        raise ConfigError(f"{where}: {path}: {error.strerror or error}") from error
