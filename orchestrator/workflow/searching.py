"""Searching: what begins the searches of a workflow. Begun anew, they come by their record to what they knew."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.record import Begin
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.seeds import seed_for
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.journal.manifest import Manifest
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.spec import Algorithm, SearchNode, Workflow

VISIT = "#"
"""Between a node's name and the number of its visit, from the second on: what its record stands under."""


def beginning(algorithm: Options, seed: int) -> Begin:
    """What begins a search of this algorithm below a root, in a run of this seed."""
    build = find("search", algorithm.kind).module.build

    def begin(root: Trajectory) -> Search:
        search: Search = build(algorithm, root, seed_for(seed, root.problem.id, root.lineage, "search"))
        return search

    return begin


def beginnings(workflow: Workflow, seed: int) -> dict[str, Begin]:
    """What begins the searches of a workflow, by node."""
    nodes = workflow.nodes.items()
    return {name: beginning(node.algorithm, seed) for name, node in nodes if isinstance(node, SearchNode)}


def recorded_beginnings(manifest: Manifest) -> dict[str, Begin]:
    """The same from a manifest alone, for those searches whose kinds and options exist where it is read."""
    known = {}
    for name, node in manifest.nodes.items():
        try:
            algorithm = _algorithm({**node.options, "kind": node.algorithm})
        except ValidationError:
            continue
        known[name] = beginning(algorithm, manifest.seed)
    return known


def node_of(recorded_under: str) -> str:
    """The workflow's node whose search this is, at whichever visit."""
    return recorded_under.rpartition(VISIT)[0] or recorded_under


def _algorithm(written: dict[str, Any]) -> Options:
    options: Options = TypeAdapter[Options](Algorithm).validate_python(written)
    return options
