"""Check a workflow before anything is spent: names, capabilities, pairings, and the shape of the graph.

The graph is a networkx DiGraph over the nodes and ``end``. Every node must be reachable and reach the end, and
every cycle must pass a node with ``max_visits``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.request import Capabilities
from branchwise.orchestrator.plugins import find, kinds, suggestion
from branchwise.orchestrator.workflow.facts import role_of
from branchwise.orchestrator.workflow.spec import END, AgentNode, SearchNode, Workflow


def validate(workflow: Workflow, source: str = "workflow") -> None:
    """Raise ConfigError that lists everything that is wrong, a line each."""
    problems = [*_wrong_names(workflow), *_wrong_needs(workflow), *_wrong_pairings(workflow), *_wrong_roles(workflow)]
    if not problems:
        problems = list(_wrong_shape(workflow))
    if problems:
        raise ConfigError("\n".join(f"{source}: {problem}" for problem in problems))


def graph_of(workflow: Workflow) -> networkx.DiGraph:
    """The workflow as a graph; an edge carries the routes that lead along it."""
    graph = networkx.DiGraph()
    graph.add_nodes_from([*workflow.nodes, END])
    for name, node in workflow.nodes.items():
        targets = node.next if isinstance(node.next, dict) else {"": node.next}
        for route, target in targets.items():
            routes = graph.get_edge_data(name, target, {"routes": ()})["routes"]
            graph.add_edge(name, target, routes=(*routes, route))
        if node.max_visits is not None:
            for before in [before for before, _ in list(graph.in_edges(name))]:
                graph.add_edge(before, node.otherwise, routes=("otherwise",))
    return graph


def parts_of(workflow: Workflow) -> Iterator[tuple[str, str, Options]]:
    """(place, role, options) of every agent and reward in the workflow."""
    for name, node in workflow.nodes.items():
        if isinstance(node, AgentNode):
            yield f"nodes.{name}.agent", "agent", node.agent
            continue
        yield f"nodes.{name}.policy", "agent", node.policy
        if node.reward is not None:
            yield f"nodes.{name}.reward", "reward", node.reward


def routes_of(node: SearchNode | AgentNode) -> tuple[str, ...]:
    """The routes that a node decides between; none where one way leads on."""
    if isinstance(node, SearchNode):
        return ()
    routes: tuple[str, ...] = getattr(find("agent", node.agent.kind).module, "ROUTES", ())
    return routes


def stepwise(node: SearchNode) -> bool:
    """True where the algorithm wants single steps of its policy."""
    return bool(getattr(node.algorithm, "stepwise", False))


def _wrong_names(workflow: Workflow) -> Iterator[str]:
    names = [*workflow.nodes, END]
    if workflow.first not in workflow.nodes:
        yield f"start: no node '{workflow.first}'{suggestion(workflow.first, list(workflow.nodes))}"
    for name, node in workflow.nodes.items():
        targets = node.next if isinstance(node.next, dict) else {"": node.next}
        for route, target in {**targets, "otherwise": node.otherwise}.items():
            if target not in names:
                key = "otherwise" if route == "otherwise" else "next" + (f".{route}" if route else "")
                yield f"nodes.{name}.{key}: no node '{target}'{suggestion(target, names)}"
        if isinstance(node.next, dict):
            for route in sorted(node.next.keys() ^ set(routes_of(node))):
                yield f"nodes.{name}.next.{route}: the routes of this node are {', '.join(routes_of(node)) or 'none'}"
        elif routes_of(node):
            yield f"nodes.{name}.next: write one target a route: {', '.join(routes_of(node))}"
    if END in workflow.nodes:
        yield f"nodes.{END}: the name '{END}' is taken by the end of the workflow"


def _wrong_needs(workflow: Workflow) -> Iterator[str]:
    for place, role, options in parts_of(workflow):
        for model, wanted in needs_of(workflow, place, role, options).items():
            if model not in workflow.models:
                yield f"{place}.model: no model '{model}'{suggestion(model, list(workflow.models))}"
                continue
            missing = sorted(need for need in wanted if not _can(workflow.models[model], need))
            for need in missing:
                able = [kind.name for kind in kinds("backend").values() if getattr(kind.module.CAPABILITIES, need)]
                yield (
                    f"{place}: model '{model}' ({workflow.models[model].kind}) lacks '{need}'; "
                    f"backends that have it: {', '.join(able) or 'none'}"
                )


def needs_of(workflow: Workflow, place: str, role: str, options: Options) -> dict[str, frozenset[str]]:
    """Which capabilities a part wants of which model."""
    module = find(role, options.kind).module  # type: ignore[arg-type]
    needs: Any = getattr(module, "needs", None)
    if needs is None:
        return {}
    node = workflow.nodes[place.split(".")[1]]
    if isinstance(node, SearchNode) and role == "agent":
        found: dict[str, frozenset[str]] = needs(options, stepwise=stepwise(node))
    else:
        found = needs(options)
    return found


def capabilities_of(model: Options) -> Capabilities:
    """What a model's backend can do, as far as its options tell."""
    module = find("backend", model.kind).module
    declared: Any = getattr(module, "capabilities", None)
    result: Capabilities = declared(model) if declared is not None else module.CAPABILITIES
    return result


def _can(model: Options, need: str) -> bool:
    return bool(getattr(capabilities_of(model), need))


def _wrong_pairings(workflow: Workflow) -> Iterator[str]:
    for name, node in workflow.nodes.items():
        if isinstance(node, SearchNode) and node.reward is None:
            if getattr(node.algorithm, "wants_reward", False):
                yield f"nodes.{name}.reward: {node.algorithm.kind} is steered by a reward and there is none"
            elif node.rule != "majority":
                yield f"nodes.{name}.select: '{node.rule}' needs a reward; without one use majority"


def _wrong_roles(workflow: Workflow) -> Iterator[str]:
    """Limits for a role that nobody has would never bind."""
    roles: list[str] = []
    for node in workflow.nodes.values():
        if isinstance(node, AgentNode):
            roles.append(role_of(node.agent))
        else:
            roles += ["policy"] + (["verifier"] if node.reward is not None else [])
    for scope in ("run", "problem", "branch"):
        for role in getattr(workflow.budget, scope).roles:
            if role not in roles:
                yield f"budget.{scope}.roles.{role}: nobody has this role{suggestion(role, sorted(set(roles)))}"


def _wrong_shape(workflow: Workflow) -> Iterator[str]:
    graph = graph_of(workflow)
    for name in workflow.nodes:
        if not networkx.has_path(graph, workflow.first, name):
            yield f"nodes.{name}: no way leads here from '{workflow.first}'"
        elif not networkx.has_path(graph, name, END):
            yield f"nodes.{name}: no way leads from here to the end; give its cycle an exit (next: {END})"
    bounded = [name for name, node in workflow.nodes.items() if node.max_visits is not None]
    unbounded = graph.subgraph(set(graph) - set(bounded))
    if not networkx.is_directed_acyclic_graph(unbounded):
        cycle = " -> ".join(edge[0] for edge in networkx.find_cycle(unbounded))
        yield f"nodes: the cycle {cycle} has no bound; give one of its nodes max_visits"
