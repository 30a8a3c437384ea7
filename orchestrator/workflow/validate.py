"""Check a workflow before anything is spent: names, capabilities, pairings, and the shape of the graph.

The graph is a networkx DiGraph over the nodes and ``end``. Every node must be reachable and reach the end, and
every cycle must pass a node with ``max_visits``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import networkx

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.options import JudgingOptions, Options, Price, each_part, own_needs
from branchwise.orchestrator.core.request import Capabilities
from branchwise.orchestrator.core.roles import Task
from branchwise.orchestrator.core.suggesting import suggestion
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.plugins import find, usable
from branchwise.orchestrator.workflow.facts import role_of
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.policies import misnamed
from branchwise.orchestrator.workflow.servers import confused
from branchwise.orchestrator.workflow.spec import END, AgentNode, SearchNode, Workflow
from branchwise.orchestrator.workflow.worlds import misfits, speechless
from branchwise.orchestrator.workflow.yaml_file import Place, written_at


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong, and the place where it was written."""

    place: Place
    message: str


def validate(loaded: Loaded, task: Task | None = None) -> None:
    """Raise ConfigError that lists everything that is wrong, a line each, with file, line and key.

    With the task it is also known whether the searches are to act in a world.
    """
    workflow, world = loaded.workflow, getattr(task, "world", None)
    rules = (
        _wrong_names,
        _wrong_pairings,
        _wrong_roles,
        _wrong_money,
        _wrong_policies,
        _wrong_tournaments,
        _wrong_servers,
    )
    found = [*_wrong_needs(loaded, world), *(wrong for rule in rules for wrong in rule(workflow))]
    unfit = [*speechless(workflow), *(misfits(workflow, world) if task is not None else ())]
    found += [Wrong(place, message) for place, message in unfit]
    found = found or list(_wrong_shape(workflow))
    if found:
        each = dict.fromkeys(found)  # parts within one part may all want the same
        raise ConfigError(
            "\n".join(f"{written_at(one.place, loaded.source, loaded.lines)}: {one.message}" for one in each)
        )


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


def parts_of(workflow: Workflow) -> Iterator[tuple[Place, str, Options]]:
    """(place, role, options) of every agent, reward and judge in the workflow; parts within a part have its place."""
    for place, role, part in _outer_parts(workflow):
        for each in each_part(part):
            yield place, role, each


def _outer_parts(workflow: Workflow) -> Iterator[tuple[Place, str, Options]]:
    for name, node in workflow.nodes.items():
        if isinstance(node, AgentNode):
            yield ("nodes", name, "agent"), "agent", node.agent
            continue
        yield ("nodes", name, "policy"), "agent", node.policy
        for each, policy in node.policies.items():
            yield ("nodes", name, "policies", each), "agent", policy
        if node.reward is not None:
            yield ("nodes", name, "reward"), "reward", node.reward
        if node.tournament is not None:
            yield ("nodes", name, "tournament", "judge"), "judge", node.tournament.judge


def routes_of(node: SearchNode | AgentNode) -> tuple[str, ...]:
    """The routes that a node decides between; none where one way leads on."""
    if isinstance(node, SearchNode):
        return ()
    routes: tuple[str, ...] = getattr(find("agent", node.agent.kind).module, "ROUTES", ())
    return routes


def stepwise(node: SearchNode) -> bool:
    """True where the algorithm wants single steps of its policy."""
    return bool(getattr(node.algorithm, "stepwise", False))


def _wrong_names(workflow: Workflow) -> Iterator[Wrong]:
    names = [*workflow.nodes, END]
    if workflow.first not in workflow.nodes:
        yield Wrong(("start",), f"no node '{workflow.first}'{suggestion(workflow.first, list(workflow.nodes))}")
    for name, node in workflow.nodes.items():
        yield from _wrong_targets(name, node, names)
    if END in workflow.nodes:
        yield Wrong(("nodes", END), f"the name '{END}' is taken by the end of the workflow")


def _wrong_targets(name: str, node: SearchNode | AgentNode, names: list[str]) -> Iterator[Wrong]:
    way, routes = ("nodes", name, "next"), routes_of(node)
    targets: dict[Place, str] = {("nodes", name, "otherwise"): node.otherwise}
    if isinstance(node.next, dict):
        targets |= {(*way, route): target for route, target in node.next.items()}
        for route in sorted(node.next.keys() ^ set(routes)):
            yield Wrong((*way, route), f"the routes of this node are {', '.join(routes) or 'none'}")
    else:
        targets[way] = node.next
        if routes:
            yield Wrong(way, f"write one target a route: {', '.join(routes)}")
    for place, target in targets.items():
        if target not in names:
            yield Wrong(place, f"no node '{target}'{suggestion(target, names)}")


def _wrong_needs(loaded: Loaded, world: World | None) -> Iterator[Wrong]:
    workflow = loaded.workflow
    for place, role, options in parts_of(workflow):
        try:
            needs = needs_of(workflow, place, role, options, acts=world is not None)
        except ConfigError as error:
            yield Wrong(place, str(error))
            continue
        for model, wanted in needs.items():
            if model not in workflow.models:
                yield Wrong((*place, "model"), f"no model '{model}'{suggestion(model, list(workflow.models))}")
                continue
            wanted |= frozenset() if "pooling" in wanted else {"writes"}
            for need in sorted(need for need in wanted if not _can(loaded.model(model), need)):
                yield Wrong(
                    place,
                    f"model '{model}' ({workflow.models[model].kind}) lacks '{need}'; "
                    f"backends that have it: {', '.join(_able(need)) or 'none'}",
                )


def needs_of(
    workflow: Workflow, place: Place, role: str, options: Options, acts: bool = False
) -> dict[str, frozenset[str]]:
    """Which capabilities a part wants of which model; a policy that ``acts`` in a world is asked for single steps."""
    if isinstance(options, JudgingOptions):
        return own_needs(options)
    module = find(role, options.kind).module  # type: ignore[arg-type]
    needs: Any = getattr(module, "needs", None)
    if needs is None:
        return {}
    node = workflow.nodes[str(place[1])]
    if isinstance(node, SearchNode) and role == "agent":
        found: dict[str, frozenset[str]] = needs(options, stepwise=acts or stepwise(node))
    else:
        found = needs(options)
    return found


def capabilities_of(model: Options) -> Capabilities:
    """What a model's backend can do, as far as its options tell."""
    module = find("backend", model.kind).module
    declared: Any = getattr(module, "capabilities", None)
    result: Capabilities = declared(model) if declared is not None else module.CAPABILITIES
    return result


def _able(need: str) -> Iterator[str]:
    """The kinds of backends that can do this, and what has to be said to those that can't do it unasked."""
    for kind in usable("backend").values():
        ways = {"": kind.module.CAPABILITIES, **getattr(kind.module, "VARIANTS", {})}
        way = next((way for way, capabilities in ways.items() if getattr(capabilities, need)), None)
        if way is not None:
            yield f"{kind.name} ({way})" if way else kind.name


def _can(model: Options, need: str) -> bool:
    return bool(getattr(capabilities_of(model), need))


def _wrong_pairings(workflow: Workflow) -> Iterator[Wrong]:
    for name, node in workflow.nodes.items():
        if not isinstance(node, SearchNode):
            continue
        recommends = getattr(node.algorithm, "own_select", None) == "recommended"
        if node.rule == "recommended" and not recommends:
            yield Wrong(("nodes", name, "select"), f"{node.algorithm.kind} recommends no answer itself")
        elif node.reward is None:
            if getattr(node.algorithm, "wants_reward", False):
                message = f"{node.algorithm.kind} is steered by a reward and there is none"
                yield Wrong(("nodes", name, "reward"), message)
            elif node.rule != "majority":
                yield Wrong(("nodes", name, "select"), f"'{node.rule}' needs a reward; without one use majority")


def _wrong_roles(workflow: Workflow) -> Iterator[Wrong]:
    """Limits for a role that nobody has would never bind."""
    roles: list[str] = []
    for node in workflow.nodes.values():
        if isinstance(node, AgentNode):
            roles.append(role_of(node.agent))
        else:
            roles += ["policy"] + (["verifier"] if node.reward is not None else [])
            roles += ["judge"] if node.tournament is not None else []
    for scope in ("run", "problem", "branch"):
        for role in getattr(workflow.budget, scope).roles:
            if role not in roles:
                message = f"nobody has this role{suggestion(role, sorted(set(roles)))}"
                yield Wrong(("budget", scope, "roles", role), message)


def _wrong_money(workflow: Workflow) -> Iterator[Wrong]:
    """A limit in money would never bind where nothing costs any."""
    if any(options.price != Price() for options in workflow.models.values()):
        return
    for scope in ("run", "problem", "branch"):
        limits = getattr(workflow.budget, scope)
        if limits.money is not None:
            yield Wrong(
                ("budget", scope, "money"), "no model has a price, so this binds nothing: write models.NAME.price"
            )
        for role in (role for role, own in limits.roles.items() if own.money is not None):
            yield Wrong(("budget", scope, "roles", role, "money"), "no model has a price, so this binds nothing")


def _wrong_tournaments(workflow: Workflow) -> Iterator[Wrong]:
    for name, node in workflow.nodes.items():
        if not isinstance(node, SearchNode) or node.tournament is None:
            continue
        if node.select is not None:
            yield Wrong(("nodes", name, "select"), "the tournament chooses the answer: leave one of the two out")
        if node.reward is None and getattr(node.tournament.judge, "wants_reward", False):
            message = f"{node.tournament.judge.kind} compares by a reward and there is none"
            yield Wrong(("nodes", name, "tournament", "judge"), message)


def _wrong_policies(workflow: Workflow) -> Iterator[Wrong]:
    return (Wrong(place, message) for place, message in misnamed(workflow))


def _wrong_servers(workflow: Workflow) -> Iterator[Wrong]:
    for name, other, address in confused(workflow):
        yield Wrong(
            ("models", name, "url"),
            f"only the query of its url tells this model from '{other}' at {address}, and a query is kept off the "
            "record: serve one of them under another name",
        )


def _wrong_shape(workflow: Workflow) -> Iterator[Wrong]:
    graph = graph_of(workflow)
    for name in workflow.nodes:
        if not networkx.has_path(graph, workflow.first, name):
            yield Wrong(("nodes", name), f"no way leads here from '{workflow.first}'")
        elif not networkx.has_path(graph, name, END):
            message = f"no way leads from here to the end; give its cycle an exit (next: {END})"
            yield Wrong(("nodes", name), message)
    bounded = [name for name, node in workflow.nodes.items() if node.max_visits is not None]
    unbounded = graph.subgraph(set(graph) - set(bounded))
    if not networkx.is_directed_acyclic_graph(unbounded):
        cycle = " -> ".join(edge[0] for edge in networkx.find_cycle(unbounded))
        yield Wrong(("nodes",), f"the cycle {cycle} has no bound; give one of its nodes max_visits")
