"""Manifest: what a run was started with. On resume it says what is still valid.

Draws are valid by their keys, whatever changed. Decisions are replayed under the same plan, seed and models
only; anything else is refused with the reason, and the draws can be taken over into a new run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from branchwise.orchestrator.core.errors import ConfigError, JournalError
from branchwise.orchestrator.core.judgement import Source
from branchwise.orchestrator.journal.store import Journal

PLAN_FILE = "plan.json"


class NodeFacts(BaseModel):
    """What a node of the workflow does, for those who read the journal without the workflow's parts at hand.

    ``models`` says which model has which role, or which models, with commas between. ``most_draws`` is the policy's
    part at most, on one problem.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    models: dict[str, str] = Field(default_factory=dict)
    algorithm: str = ""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    reward: str = ""
    reward_source: Source | None = None
    select: str = ""
    most_draws: int | None = None


class Manifest(BaseModel):
    """Facts about a run, as JSON. ``plan`` is the workflow as written, before ``${NAME}`` was filled in.

    ``models`` are the identities of the models; ``served`` says by which version of what, where its servers tell.
    Relative paths in the plan start at ``directory``. The run was
    started in ``working_directory``; the paths in ``task`` do not depend on it. ``task_sha256`` is the hash of the
    file that a task was read from, ``files_sha256`` those of the files that the workflow names, by their paths;
    ``world`` is what the task's world has put on record. ``id`` is of this run alone, and stays when it is resumed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: JsonValue
    plan_hash: str
    seed: int
    version: str
    models: dict[str, dict[str, str | bool | None]] = Field(default_factory=dict)
    served: dict[str, str] = Field(default_factory=dict)
    nodes: dict[str, NodeFacts] = Field(default_factory=dict)
    name: str = ""
    source: str = ""
    directory: str = ""
    working_directory: str = ""
    task: str | None = None
    task_sha256: str | None = None
    files_sha256: dict[str, str] = Field(default_factory=dict)
    world: dict[str, str] = Field(default_factory=dict)
    limit: int | None = None
    problem_count: int | None = None
    concurrency: int = 8
    id: str = ""


def plan_hash(resolved: str) -> str:
    """16 hex digits that name a plan."""
    return hashlib.blake2b(resolved.encode(), digest_size=8).hexdigest()


class Settled(NamedTuple):
    """The manifest that holds, and what is worth saying."""

    manifest: Manifest
    notes: tuple[str, ...] = ()


def settle_manifest(journal: Journal, wanted: Manifest) -> Settled:
    """Write the manifest of a new run, or hold it against the one on record; ConfigError where they don't agree."""
    recorded = read_manifest(journal)
    if recorded is None:
        text = wanted.model_dump_json(indent=1)
        journal.put("manifest", text)
        journal.flush()
        if journal.directory is not None:
            _write_plan(journal.directory / PLAN_FILE, text)
        return Settled(wanted)
    if changed := _changed(recorded, wanted):
        raise ConfigError(
            f"{journal.directory} was started with something else: {', '.join(changed)}. Go on with what it was "
            f"started with, or take its draws over into a new run by --reuse {journal.directory}"
        )
    return Settled(recorded, tuple(_other_versions(recorded, wanted)))


def _other_versions(recorded: Manifest, wanted: Manifest) -> Iterator[str]:
    """What is not as it was and holds nothing up."""
    if recorded.version != wanted.version:
        yield f"started by Branchwise {recorded.version}, resumed by {wanted.version}; every ask is checked on replay"
    for name, now in wanted.served.items():
        was = recorded.served.get(name, now)
        if was != now:
            yield f"the model '{name}' was served by {was} when the run was started, and is by {now} now"


def _changed(recorded: Manifest, wanted: Manifest) -> list[str]:
    """What keeps the recorded decisions from being replayed. A hash that was not recorded holds nothing up."""
    changed = []
    if recorded.plan_hash != wanted.plan_hash:
        changed.append("the plan changed")
    for name in ("seed", "task", "limit"):
        was, now = getattr(recorded, name), getattr(wanted, name)
        if was != now:
            changed.append(f"the {name} changed from {_shown(was)} to {_shown(now)}")
    if recorded.task_sha256 not in (None, wanted.task_sha256):
        changed.append(f"the content of {wanted.task or 'the file of the task'} changed")
    for path, was in recorded.files_sha256.items():
        if wanted.files_sha256.get(path) != was:
            changed.append(f"the content of {path} changed")
    if recorded.world != wanted.world:
        changed.append("the task's world changed")
    if recorded.models != wanted.models:
        changed.append("the models changed")
    return changed


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _write_plan(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise JournalError(f"{path} can't be written: {error.strerror or error}") from error


def read_manifest(journal: Journal) -> Manifest | None:
    """The manifest on record, if there is one."""
    text = journal.get("manifest")
    return Manifest.model_validate_json(text) if text is not None else None
