"""Servers: models of one name on several servers are told apart by address.

A draw is on record under who answered (core.request.Identity). The address of a server is no part of that, so that
a server may move and the draws stay valid. Only where a workflow has two models that would be one that way does the
address say which is which; moving such a server changes the model.
"""

from __future__ import annotations

from collections.abc import Iterator

from branchwise.orchestrator.core.options import ModelOptions
from branchwise.orchestrator.core.request import Identity
from branchwise.orchestrator.workflow.spec import Workflow


def told_by_address(workflow: Workflow) -> dict[str, str]:
    """The address of every model that nothing else tells from another one of the workflow, by the model's name."""
    found: dict[str, str] = {}
    for alike in _alike(workflow):
        addresses = {name: options.server for name, options in alike.items()}
        if len(set(addresses.values())) > 1:
            found |= addresses
    return found


def confused(workflow: Workflow) -> Iterator[tuple[str, str, str]]:
    """(one, other, address): two models at one address that differ in its query, which is kept off the record."""
    for alike in _alike(workflow):
        seen: dict[str, tuple[str, str]] = {}
        for name, options in alike.items():
            query = str(getattr(options, "url", "")).partition("?")[2]
            other, others_query = seen.setdefault(options.server, (name, query))
            if others_query != query:
                yield name, other, options.server


def _alike(workflow: Workflow) -> list[dict[str, ModelOptions]]:
    """Models that go by the same identity, as far as their options tell."""
    groups: dict[Identity, dict[str, ModelOptions]] = {}
    for name, options in workflow.models.items():
        if options.identity is not None:
            groups.setdefault(options.identity, {})[name] = options
    return [group for group in groups.values() if len(group) > 1]
