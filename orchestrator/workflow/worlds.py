"""What a workflow and the world of its task want of each other, so that nothing senseless is begun.

1. A kind whose options say ``wants_world`` works with what a world shows. It is refused where there is none, and in
   an agent node, which speaks and never acts.
2. In a world each reply is one action, whatever the algorithm: every policy must be able to write single steps. What
   was done there can't be revised, so a search whose options say ``revises`` is refused.
3. A search over single steps goes on from states that it has left, so it wants a world that can be forked.
"""

from __future__ import annotations

from collections.abc import Iterator

from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.workflow.spec import AgentNode, SearchNode, Workflow
from branchwise.orchestrator.workflow.yaml_file import Place

Misfit = tuple[Place, str]


def speechless(workflow: Workflow) -> Iterator[Misfit]:
    """Agent nodes whose agent can only act."""
    for name, node in workflow.nodes.items():
        if isinstance(node, AgentNode) and _wants_world(node.agent):
            yield ("nodes", name, "agent"), f"{node.agent.kind} acts in a world: make it the policy of a search"


def misfits(workflow: Workflow, world: World | None) -> Iterator[Misfit]:
    """Where searches and the world, or that there is none, do not go together."""
    for name, node in workflow.nodes.items():
        if isinstance(node, SearchNode):
            found = _without(node) if world is None else _within(node, world)
            yield from ((("nodes", name, *place), message) for place, message in found)


def _without(node: SearchNode) -> Iterator[Misfit]:
    parts: dict[Place, Options | None] = {
        ("algorithm",): next(filter(_wants_world, each_algorithm(node.algorithm)), None),
        ("policy",): node.policy,
        **{("policies", name): policy for name, policy in node.policies.items()},
        ("reward",): node.reward,
    }
    for place, options in parts.items():
        if options is not None and _wants_world(options):
            yield place, f"{options.kind}, as set here, is for a task with a world, and this one has none"


def _within(node: SearchNode, world: World) -> Iterator[Misfit]:
    for algorithm in each_algorithm(node.algorithm):
        if getattr(algorithm, "revises", False):
            yield ("algorithm",), f"{algorithm.kind}, as set here, revises answers; what was done in a world stays"
        elif getattr(algorithm, "stepwise", False) and not (world.repeatable or world.snapshots):
            message = "goes on from states that it has left, and this task's world has neither snapshots nor replay"
            yield ("algorithm",), f"{algorithm.kind} {message}; use best_of_n or greedy"


def each_algorithm(algorithm: Options) -> Iterator[Options]:
    """An algorithm, and those that it is composed of."""
    yield algorithm
    for each in getattr(algorithm, "algorithms", ()):
        yield from each_algorithm(each)


def _wants_world(options: Options) -> bool:
    return bool(getattr(options, "wants_world", False))
