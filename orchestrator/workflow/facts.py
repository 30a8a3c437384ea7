"""What a workflow's nodes do, in plain values, from its options alone: no model is loaded."""

from __future__ import annotations

from typing import Any

from branchwise.orchestrator.core.options import JudgingOptions, Options, needs_of_part, source_of
from branchwise.orchestrator.engine.expand import arm
from branchwise.orchestrator.journal.manifest import NodeFacts
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.spec import AgentNode, SearchNode, Workflow


def facts_of(workflow: Workflow) -> dict[str, NodeFacts]:
    """The facts of every node, by its name. ConfigError where a reward does not declare its source."""
    return {name: _facts(node) for name, node in workflow.nodes.items()}


def most_draws(algorithm: Options) -> int | None:
    """Draws of the policy that an algorithm takes on one problem at most; None where it does not say."""
    count: Any = getattr(find("search", algorithm.kind).module, "most_draws", None)
    declared = count(algorithm) if count is not None else None
    return None if declared is None else int(declared)


def models_of(part: JudgingOptions) -> tuple[str, ...]:
    """The models that a reward or a judge calls, by their names in the workflow, its own first."""
    return tuple(needs_of_part(part))


def role_of(agent: Options) -> str:
    """The role that an agent outside a search is charged as."""
    return "policy" if agent.kind == "solver" else agent.kind


def _facts(node: SearchNode | AgentNode) -> NodeFacts:
    if isinstance(node, AgentNode):
        return NodeFacts(kind=node.agent.kind, models=_speaking({role_of(node.agent): node.agent}))
    algorithm, reward = node.algorithm, node.reward
    agents = {"policy": node.policy} | {arm("policy", name): policy for name, policy in node.policies.items()}
    judging = {"verifier": models_of(reward)} if reward is not None else {}
    judging |= {"judge": models_of(node.tournament.judge)} if node.tournament is not None else {}
    return NodeFacts(
        kind="search",
        models=_speaking(agents) | {role: ", ".join(models) for role, models in judging.items() if models},
        algorithm=algorithm.kind,
        options=algorithm.model_dump(mode="json", exclude={"kind"}),
        reward=reward.described if reward is not None else "",
        reward_source=source_of(reward) if reward is not None else None,
        select=node.rule if node.tournament is None else f"tournament: {node.tournament.rule}",
        most_draws=most_draws(algorithm),
    )


def _speaking(agents: dict[str, Options]) -> dict[str, str]:
    return {role: str(part.model) for role, part in agents.items() if getattr(part, "model", None)}  # type: ignore[attr-defined]
