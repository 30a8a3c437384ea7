"""What a workflow's nodes do, in plain values, from its options alone: no model is loaded."""

from __future__ import annotations

import copy
import re
from typing import Any

from pydantic import SecretStr

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.judgement import Source
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.journal.manifest import NodeFacts
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.spec import AgentNode, SearchNode, Workflow


def facts_of(workflow: Workflow) -> dict[str, NodeFacts]:
    """The facts of every node, by its name. ConfigError where a reward does not declare its source."""
    return {name: _facts(node) for name, node in workflow.nodes.items()}


def source_of(reward: Options) -> Source:
    """Where a reward's judgements come from, as its options declare it."""
    source: Source | None = getattr(reward, "source", None)
    if source is None:
        raise ConfigError(f"reward kind '{reward.kind}' does not declare its source (Options.source)")
    return source


def most_draws(algorithm: Options) -> int | None:
    """Draws of the policy that an algorithm takes on one problem at most; None where it does not say."""
    count: Any = getattr(find("search", algorithm.kind).module, "most_draws", None)
    return None if count is None else int(count(algorithm))


def role_of(agent: Options) -> str:
    """The role that an agent outside a search is charged as."""
    return "policy" if agent.kind == "solver" else agent.kind


def recordable(loaded: Loaded) -> Any:
    """The plan as written, where a secret that was written out gives way to ``${MODEL_FIELD}``.

    Secret are keys by their type, the query of an address, and values of ``extra`` with a telling name.
    """
    data = copy.deepcopy(loaded.data)
    for name, options in loaded.workflow.models.items():
        model = data["models"][name]
        for key, written in model.items():
            if isinstance(written, dict):
                for inner, value in written.items():
                    if _TELLING.search(inner):
                        written[inner] = _hidden(value, name, key, inner)
            elif isinstance(getattr(options, key, None), SecretStr) or (key == "url" and "?" in str(written)):
                model[key] = _hidden(written, name, key)
    return data


_TELLING = re.compile(r"key|token$|secret|password|authorization", re.IGNORECASE)


def _hidden(written: object, *path: str) -> object:
    """A value that is one ``${NAME}`` as it is; any other by the name of a variable to be set on resume."""
    if re.fullmatch(r"\$\{\w+\}", str(written)):
        return written
    return "${" + re.sub(r"\W", "_", "_".join(path)).upper() + "}"


def _facts(node: SearchNode | AgentNode) -> NodeFacts:
    if isinstance(node, AgentNode):
        return NodeFacts(kind=node.agent.kind, models=_models({role_of(node.agent): node.agent}))
    algorithm, reward = node.algorithm, node.reward
    parts = {"policy": node.policy} | ({"verifier": reward} if reward is not None else {})
    return NodeFacts(
        kind="search",
        models=_models(parts),
        algorithm=algorithm.kind,
        options=algorithm.model_dump(mode="json", exclude={"kind"}),
        reward=reward.kind if reward is not None else "",
        reward_source=source_of(reward) if reward is not None else None,
        select=node.rule,
        most_draws=most_draws(algorithm),
    )


def _models(parts: dict[str, Options]) -> dict[str, str]:
    return {role: str(part.model) for role, part in parts.items() if getattr(part, "model", None)}  # type: ignore[attr-defined]
