"""Predict: the most that a workflow can use on a problem, without running or loading anything.

1. Every part is built over models that can only count: a prompt has at most as many tokens as bytes.
2. A search is played through with children that never end early and are as long as they may be; each draw
   and each judgement costs its own bound, the same that a hard budget books.
3. Where an algorithm may take more draws than that play showed, its declared ``most_draws`` times the
   dearest draw is taken; so it is where rewards decide how deep it draws, each draw being as deep as may be.
4. A node counts as often as it can be entered.

Building the parts also finds what else is wrong: a prompt that does not exist, a function that is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import networkx

from branchwise.orchestrator.backends.openai_request import prompt_bound
from branchwise.orchestrator.core.errors import BackendError, BudgetRefused, ConfigError
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options, Parts
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.roles import View
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.engine.expand import Means, bound_of
from branchwise.orchestrator.engine.worlds import Worlds
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.compile import means_of
from branchwise.orchestrator.workflow.facts import most_draws, role_of
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.policies import OWN, policies_of
from branchwise.orchestrator.workflow.spec import SearchNode, Workflow
from branchwise.orchestrator.workflow.validate import capabilities_of, graph_of, stepwise

MILLION = 1e6
Answering = Callable[[Trajectory], Answer | None]
Evaluate = Callable[[str], Fraction]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Upper bounds for one problem by role, the dearest single draw, and searches that say no bound."""

    per_problem: dict[str, Usage]
    dearest_draw: dict[str, Usage]
    unbounded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counting:
    """A model that can only count."""

    identity: Identity
    capabilities: Capabilities

    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """An estimate from above for text: a token for each byte."""
        return prompt_bound(request)

    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]:
        """Always BackendError."""
        raise BackendError("this model only counts")

    async def aclose(self) -> None:
        """Nothing to close."""


def predict(
    loaded: Loaded, problem: Problem, answer: Answering, evaluate: Evaluate, world: World | None = None
) -> Prediction:
    """The most that ``problem`` can use, in the ``world`` of its task. ConfigError where a part can't be built."""
    workflow, per_problem, dearest = loaded.workflow, dict[str, Usage](), dict[str, Usage]()
    parts = Parts(lambda name: _counting(name, loaded), answer, evaluate, loaded.directory)
    unbounded = []
    for name, node in workflow.nodes.items():
        if isinstance(node, SearchNode):
            means = means_of(workflow, node, parts, 0)
            played = _played(node, means if world is None else means.in_world(Worlds(world)), problem)
            if played is None:
                unbounded.append(name)
                continue
            once, single = played
        else:
            once = single = _asked(node.agent, parts, problem, workflow)
        for role, usage in once.items():
            per_problem[role] = per_problem.get(role, NOTHING) + _times(usage, visits(workflow, name))
        for role, usage in single.items():
            dearest[role] = _greater(dearest.get(role, NOTHING), usage)
    return Prediction(per_problem, dearest, tuple(unbounded))


def check_models(loaded: Loaded) -> None:
    """Ask each backend's own check; ConfigError names the model, what is wrong and the remedy."""
    for name, options in loaded.workflow.models.items():
        check = getattr(find("backend", options.kind).module, "check", None)
        if check is not None:
            try:
                check(loaded.model(name))
            except ConfigError as error:
                raise ConfigError(f"models.{name}: {error}") from None


def visits(workflow: Workflow, name: str) -> int:
    """The most times a node can be entered for one problem."""
    node, graph = workflow.nodes[name], graph_of(workflow)
    if node.max_visits is not None:
        return node.max_visits
    around = next(part for part in networkx.strongly_connected_components(graph) if name in part)
    if len(around) == 1 and not graph.has_edge(name, name):
        return 1
    return 1 + sum(workflow.nodes[other].max_visits or 0 for other in around if other in workflow.nodes)


def refusal(workflow: Workflow, prediction: Prediction) -> str | None:
    """What a hard budget would say to the very first draw; None where it has room for it."""
    from branchwise.orchestrator.core.budget import Account

    budget = workflow.budget
    if budget.mode == "soft":
        return None
    run = Account("run", budget.run, budget.mode)
    account = Account("branch", budget.branch, budget.mode, Account("problem", budget.problem, budget.mode, run))
    try:
        for role, usage in prediction.dearest_draw.items():
            account.reserve(usage, role).settle()
    except BudgetRefused as refused:
        return str(refused)
    return None


def _counting(name: str, loaded: Loaded) -> Counting:
    return Counting(Identity(name), capabilities_of(loaded.model(name)))


def _asked(agent: Options, parts: Parts, problem: Problem, workflow: Workflow) -> dict[str, Usage]:
    """One reply of an agent, given a draft and feedback as long as they may be."""
    longest = "x" * int(getattr(agent, "max_tokens", 0))
    view = View(Trajectory(problem), 0, draft=longest, feedback=longest)
    used = find("agent", agent.kind).module.build(agent, parts).bound(view)
    model = workflow.models.get(getattr(agent, "model", ""))
    return {role_of(agent): used if model is None else model.price.bound(used)}


def _played(node: SearchNode, means: Means, problem: Problem) -> tuple[dict[str, Usage], dict[str, Usage]] | None:
    """What a search uses at most and its dearest draw, by role; None where it declares no most_draws."""
    search = find("search", node.algorithm.kind).module.build(node.algorithm, Trajectory(problem), 0)
    declared = most_draws(node.algorithm)
    if declared is None:
        return None
    used, dearest, draws = dict[str, Usage](), dict[str, Usage](), 0
    while not search.finished and draws < declared:
        asked: list[Expansion] = search.ask(node.window)
        if not asked:
            break
        for expansion in asked:
            draws += expansion.count
            bounds = _dearest_arm(expansion, means, policies_of(node.algorithm))
            for role, usage in bounds.items():
                used[role] = used.get(role, NOTHING) + _times(usage, expansion.count)
                dearest[role] = _greater(dearest.get(role, NOTHING), usage)
            search.tell(_longest(expansion, bounds[means.purpose].completion_tokens))
    if getattr(node.algorithm, "adaptive", False):
        dearest = _deepest(node, means, problem, dearest)
        draws = 0
    if draws < declared:
        used = {role: _times(usage, declared) for role, usage in dearest.items()}
    return used, dearest


def _deepest(node: SearchNode, means: Means, problem: Problem, dearest: dict[str, Usage]) -> dict[str, Usage]:
    """The dearest draw anywhere on a way of longest steps, or of longest revisions, down to the depth limit."""
    dearest, parent = dict(dearest), Trajectory(problem)
    for _ in range(getattr(node.algorithm, "depth", 1)):
        step = Expansion(0, parent, to_end=not stepwise(node))
        for expansion in (Expansion(0, parent, to_end=True), step):
            bounds = _dearest_arm(expansion, means, policies_of(node.algorithm))
            for role, usage in bounds.items():
                dearest[role] = _greater(dearest.get(role, NOTHING), usage)
        parent = _longest(step, bounds[means.purpose].completion_tokens).candidates[0].trajectory
    return dearest


def _dearest_arm(expansion: Expansion, means: Means, arms: tuple[str, ...]) -> dict[str, Usage]:
    """The most that a child of this expansion uses by role, whichever of the policies proposes it."""
    most = dict[str, Usage]()
    for name in arms:
        policy = None if name == OWN else name
        for role, usage in bound_of(replace(expansion, policy=policy), means):
            most[role] = _greater(most.get(role, NOTHING), usage)
    return most


def _longest(expansion: Expansion, tokens: int) -> Outcome:
    """Children as long as they may be; they go on unless the whole answer was asked for."""
    stop = StopReason.ANSWERED if expansion.to_end else None
    numbers, stem = range(expansion.first, expansion.first + expansion.count), expansion.parent.stem
    children = [stem.extend((Step("x" * tokens),), k, stop) for k in numbers]
    return Outcome(expansion.ticket, tuple(Candidate(child, parent_steps=len(stem.steps)) for child in children))


def _times(usage: Usage, count: int) -> Usage:
    return Usage(
        usage.prompt_tokens * count,
        usage.completion_tokens * count,
        calls=usage.calls * count,
        money=usage.money * count,
        exact=False,
    )


def _greater(one: Usage, other: Usage) -> Usage:
    return Usage(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        calls=max(one.calls, other.calls),
        money=max(one.money, other.money),
        exact=False,
    )
