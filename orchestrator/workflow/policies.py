"""The policies of a search node by name: its own, and further ones that an algorithm may choose between."""

from __future__ import annotations

from collections.abc import Iterator

from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.workflow.spec import SearchNode, Workflow
from branchwise.orchestrator.workflow.yaml_file import Place

OWN = "policy"
"""The name of a search node's own policy beside its further ones."""


def policies_of(algorithm: Options) -> tuple[str, ...]:
    """The policies that an algorithm draws from, by name."""
    return tuple(getattr(algorithm, "policies", ())) or (OWN,)


def misnamed(workflow: Workflow) -> Iterator[tuple[Place, str]]:
    """Where a node and its algorithm disagree: policies that one of them names and the other does not."""
    for name, node in workflow.nodes.items():
        if not isinstance(node, SearchNode):
            continue
        named, known = policies_of(node.algorithm), [OWN, *node.policies]
        if OWN in node.policies:
            yield ("nodes", name, "policies", OWN), "this is the name of the node's own policy"
        for policy in (policy for policy in named if policy not in known):
            message = f"the node has no policy '{policy}'{suggestion(policy, known)}"
            yield ("nodes", name, "algorithm", "policies"), message
        for policy in (policy for policy in node.policies if policy not in named):
            message = "the algorithm does not draw from this policy: name it in algorithm.policies, or leave it out"
            yield ("nodes", name, "policies", policy), message
