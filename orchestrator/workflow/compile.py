"""Compile: a checked workflow becomes a langgraph graph, and a graph becomes what solves an episode.

langgraph is the workflow layer only: bounded loops and routes between nodes. The search inside a node is plain
asyncio, and a workflow of a single node has no way to choose, so it does without. No checkpointer, since the journal
resumes; a full path map and a recursion limit always; its tracing stays off, since it would post prompts to a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.options import JudgingOptions, Options, Parts, Price, dearest
from branchwise.orchestrator.core.result import Result
from branchwise.orchestrator.core.seeds import seed_for
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory
from branchwise.orchestrator.engine.batch import Solve
from branchwise.orchestrator.engine.contest import Contest
from branchwise.orchestrator.engine.episode import Episode, SearchPlan
from branchwise.orchestrator.engine.expand import Means, arm
from branchwise.orchestrator.plugins import Role, find
from branchwise.orchestrator.workflow.facts import models_of, most_draws, role_of
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.nodes import State, Step, agent_step, search_step
from branchwise.orchestrator.workflow.spec import END, SearchNode, Workflow
from branchwise.orchestrator.workflow.validate import graph_of
from branchwise.orchestrator.workflow.yaml_file import Place, written_at


def compile_workflow(loaded: Loaded, parts: Parts, seed: int) -> Solve:
    """The coroutine that takes an episode through the workflow and brings back its result."""
    workflow = loaded.workflow
    steps = {name: _step(loaded, name, parts, seed) for name in workflow.nodes}
    travel = _through_graph(workflow, steps) if has_routes(workflow) else steps[workflow.first]

    async def solve(episode: Episode) -> Result:
        return _result(episode, await travel(State(episode=episode)))

    return solve


def has_routes(workflow: Workflow) -> bool:
    """Whether there is a way to go after some node, other than to the end."""
    return any(node.next != END for node in workflow.nodes.values())


def import_graph_library() -> None:
    """Import langgraph now: the better part of a second that belongs to no run."""
    import langgraph.graph  # noqa: F401
    import langsmith  # noqa: F401


def _through_graph(workflow: Workflow, steps: dict[str, Step]) -> Step:
    graph, limit = _langgraph(workflow, steps), 2 * _most_supersteps(workflow) + 8

    async def travel(state: State) -> State:
        from langsmith import tracing_context

        with tracing_context(enabled=False):
            final: State = await graph.ainvoke(state, {"recursion_limit": limit})
        return final

    return travel


def _langgraph(workflow: Workflow, steps: dict[str, Step]) -> Any:
    from langgraph.graph import END as GRAPH_END
    from langgraph.graph import START, StateGraph

    builder: Any = StateGraph(State)
    for name, step in steps.items():
        builder.add_node(name, step)
    checked = graph_of(workflow)
    builder.add_edge(START, workflow.first)
    for name in workflow.nodes:
        targets = {*checked.successors(name), END}
        paths = {target: GRAPH_END if target == END else target for target in targets}
        builder.add_conditional_edges(name, _router(workflow, name), paths)
    return builder.compile(checkpointer=False)  # not even that of a graph around this one


def _router(workflow: Workflow, name: str) -> Callable[[State], str]:
    """Where to go from a node: to the end if the episode stopped, else along the route, visits permitting."""

    def route(state: State) -> str:
        if state.get("stop") is not None:
            return END
        following = workflow.nodes[name].next
        target = following if isinstance(following, str) else following[state["route"]]
        for _ in workflow.nodes:
            node = workflow.nodes.get(target)
            if node is None or node.max_visits is None or state["visits"].get(target, 0) < node.max_visits:
                return target
            target = node.otherwise
        return END

    return route


def _step(loaded: Loaded, name: str, parts: Parts, seed: int) -> Step:
    node = loaded.workflow.nodes[name]
    if not isinstance(node, SearchNode):
        agent = built(loaded, ("nodes", name, "agent"), "agent", node.agent, parts)
        price = loaded.workflow.models[node.agent.model].price  # type: ignore[attr-defined]
        return agent_step(name, agent, role_of(node.agent), price)
    build, algorithm = find("search", node.algorithm.kind).module.build, node.algorithm
    means = means_of(loaded, name, node, parts, seed)

    def start(root: Trajectory) -> Any:
        return build(algorithm, root, seed_for(seed, root.problem.id, root.lineage, "search"))

    contest, most = contest_of(loaded, name, node, parts), most_draws(algorithm)
    return search_step(name, SearchPlan(name, start, means, node.rule, node.window, node.commit, most, contest))


def means_of(loaded: Loaded, name: str, node: SearchNode, parts: Parts, seed: int) -> Means:
    """What a search node's expansions are made with. ConfigError where a part can't be built."""
    place, workflow = ("nodes", name), loaded.workflow
    policy = built(loaded, (*place, "policy"), "agent", node.policy, parts)
    policies = {
        each: built(loaded, (*place, "policies", each), "agent", options, parts)
        for each, options in node.policies.items()
    }
    reward = built(loaded, (*place, "reward"), "reward", node.reward, parts) if node.reward else None
    models = {"policy": getattr(node.policy, "model", None)}
    models |= {arm("policy", each): getattr(options, "model", None) for each, options in node.policies.items()}
    prices = {purpose: workflow.models[model].price for purpose, model in models.items() if model is not None}
    if node.reward is not None:
        prices["verifier"] = price_of(workflow, node.reward)
    return Means(policy, reward, parts.answer, seed, together=node.together, prices=prices, policies=policies)


def contest_of(loaded: Loaded, name: str, node: SearchNode, parts: Parts) -> Contest | None:
    """The tournament among a search node's answers, if it has one. ConfigError where its judge can't be built."""
    chosen = node.tournament
    if chosen is None:
        return None
    judge = built(loaded, ("nodes", name, "tournament", "judge"), "judge", chosen.judge, parts)
    price = price_of(loaded.workflow, chosen.judge)
    return Contest(chosen.rule, judge, price, chosen.rounds, chosen.pool, chosen.distinct, chosen.seeding)


def built(loaded: Loaded, place: Place, role: Role, options: Options, parts: Parts) -> Any:
    """The part of these options. ConfigError, where it can't be built, says where it was written."""
    try:
        return find(role, options.kind).module.build(options, parts)
    except ConfigError as error:
        raise ConfigError(f"{written_at(place, loaded.source, loaded.lines)}: {error}") from error


def price_of(workflow: Workflow, part: JudgingOptions) -> Price:
    """What a reward's or a judge's calls cost at most: the dearest of its models."""
    return dearest(workflow.models[model].price for model in models_of(part))


def _most_supersteps(workflow: Workflow) -> int:
    """No node without max_visits can come round without passing one that has it."""
    bounded = sum(node.max_visits or 0 for node in workflow.nodes.values())
    return len(workflow.nodes) * (bounded + 1)


def _result(episode: Episode, state: State) -> Result:
    draft = state.get("draft")
    stop = state.get("stop") or _ended(draft, state.get("ended"), episode)
    return Result(
        episode.problem.id,
        draft.answer.text if draft and draft.answer else None,
        stop,
        draft.trajectory if draft else None,
        draft.value if draft else None,
        tuple(sorted(state.get("votes", ()), key=lambda vote: -vote[1])),
        tuple(sorted(episode.drawn.by_role.items())),
        tuple(sorted(episode.cancelled.by_role.items())),
        tuple(episode.failures),
        judgements=episode.judgements,
    )


def _ended(draft: Candidate | None, searched: StopReason | None, episode: Episode) -> StopReason:
    """An answer, or what kept the last search from one."""
    if draft is not None and draft.answer is not None:
        return StopReason.ANSWERED
    if searched not in (None, StopReason.ANSWERED):
        return searched
    return StopReason.FAILED if episode.failures else StopReason.BAD_FORMAT
