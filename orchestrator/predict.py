"""Predict: the most that a workflow can use on a problem, without running or loading anything.

1. Every part is built over models that can only count: a prompt has at most as many tokens as bytes.
2. A search is played through without models (bounds.py); each draw, each judgement and each comparison costs its own
   bound, the same that a hard budget books.
3. A node counts as often as it can be entered.

Building the parts also finds what else is wrong: a prompt that does not exist, a function that is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import networkx

from branchwise.orchestrator.backends.openai_request import prompt_bound
from branchwise.orchestrator.bounds import Playing, greatest, times
from branchwise.orchestrator.core.errors import BackendError, BudgetRefused, ConfigError
from branchwise.orchestrator.core.options import Options, Parts
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.roles import Answering, View
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.core.world import World
from branchwise.orchestrator.engine.worlds import Worlds
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.compile import built, contest_of, means_of
from branchwise.orchestrator.workflow.facts import role_of
from branchwise.orchestrator.workflow.load import Loaded
from branchwise.orchestrator.workflow.spec import SearchNode, Workflow
from branchwise.orchestrator.workflow.validate import capabilities_of, graph_of

Evaluate = Callable[[str], Fraction]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Upper bounds for one problem by role, the dearest single draw, and searches that say no bound.

    ``comparisons`` are those of nodes with a tournament, each time that one is entered.
    """

    per_problem: dict[str, Usage]
    dearest_draw: dict[str, Usage]
    unbounded: tuple[str, ...] = ()
    comparisons: dict[str, int] = field(default_factory=dict)


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
    unbounded, comparisons = list[str](), dict[str, int]()
    for name, node in workflow.nodes.items():
        if isinstance(node, SearchNode):
            means = means_of(loaded, name, node, parts, 0)
            means = means if world is None else means.in_world(Worlds(world))
            most = Playing(node, means, problem).most(contest_of(loaded, name, node, parts))
            if most is None:
                unbounded.append(name)
                continue
            once, single = most.used, most.dearest
            if node.tournament is not None:
                comparisons[name] = most.comparisons
        else:
            once = single = _asked(loaded, name, node.agent, parts, problem)
        for role, usage in once.items():
            per_problem[role] = per_problem.get(role, NOTHING) + times(usage, visits(workflow, name))
        dearest = greatest([*dearest.items(), *single.items()])
    return Prediction(per_problem, dearest, tuple(unbounded), comparisons)


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
    return Counting(Identity(""), capabilities_of(loaded.model(name)))


def _asked(loaded: Loaded, name: str, agent: Options, parts: Parts, problem: Problem) -> dict[str, Usage]:
    """One reply of an agent, given a draft and feedback as long as they may be."""
    longest = "x" * int(getattr(agent, "max_tokens", 0))
    view = View(Trajectory(problem), 0, draft=longest, feedback=longest)
    used: Usage = built(loaded, ("nodes", name, "agent"), "agent", agent, parts).bound(view)
    model = loaded.workflow.models.get(getattr(agent, "model", ""))
    return {role_of(agent): used if model is None else model.price.bound(used)}
