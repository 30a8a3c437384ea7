"""A toy world for the laws: what grows where is a function of the lineage alone."""

from __future__ import annotations

import random
from collections.abc import Callable

from pydantic import TypeAdapter

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import failed, judged
from branchwise.orchestrator.core.options import Options
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.plugins import find, kinds
from branchwise.orchestrator.workflow.spec import Algorithm

ROOT = Trajectory(problem("a toy", "toy"))

SMALL: dict[str, list[dict[str, object]]] = {
    "greedy": [{}],
    "best_of_n": [{"n": 6}, {"n": 7, "batch": 3}]
    + [{"n": 9, "stop": rule} for rule in ("decided", "beta", "dirichlet", "esc", "doubling")],
    "step_rollouts": [{"solutions": 2, "rollouts": 3, "depth": 4}],
    "beam": [
        {"width": 2, "expansions": 3, "depth": 4},
        {"width": 1, "expansions": 1, "depth": 3},
        {"width": 2, "expansions": 2, "root_expansions": 4, "depth": 4},
        {"width": 2, "expansions": 3, "depth": 4, "lookahead": 2},
    ],
    "mcts": [
        {"iterations": 7, "children": 3, "depth": 4},
        {"iterations": 20, "children": 3, "batch": 1, "depth": 4, "in_flight": 8, "revisit": True},
        {"iterations": 9, "evaluate": "leaf", "rollouts": 2, "rollout_weight": 0.5, "selection": "lats", "depth": 3},
        {"iterations": 8, "children": 2, "rollouts": 1, "selection": "puct_best", "discount": 0.9, "depth": 4},
        {
            "iterations": 30,
            "batch": 2,
            "selection": "puct",
            "recommendation": "visits",
            "until_decided": True,
            "virtual_value": None,
        },
    ],
    "dvts": [
        {"subtrees": 3, "expansions": 2, "depth": 4},
        {"subtrees": 2, "expansions": 2, "depth": 4, "lookahead": 1, "keep_passed_over": True},
    ],
    "best_first": [{"expansions": 3, "budget": 7, "depth": 4}, {"budget": 9, "in_flight": 1, "enough": 0.7}],
    "tree_of_thoughts": [{"width": 2, "expansions": 3, "depth": 4}],
    "pav_beam": [{"width": 2, "depth": 4}],
    "particle_filter": [
        {"particles": 3, "depth": 4},
        {"particles": 4, "depth": 4, "resampling": "systematic", "first_temperature": 3.0},
        {"particles": 3, "depth": 3, "sweeps": 3},
    ],
    "feynman_kac": [
        {"particles": 4, "depth": 4},
        {"particles": 3, "depth": 4, "potential": "max", "threshold": 1.0, "every": 2, "resample_last": True},
        {"particles": 3, "depth": 4, "potential": "sum", "threshold": 0.9, "correction": "carried"},
    ],
    "ab_mcts": [
        {"expansions": 14, "depth": 3},
        {"expansions": 14, "over": "steps", "depth": 3, "in_flight": 1, "posterior": "beta", "pending": True},
        {"expansions": 14, "policies": ["policy", "other"], "strategy": "stack", "pending": True},
        {"expansions": 9, "over": "steps", "policies": ["policy", "other"], "strategy": "multiarm_bandit_ucb"},
    ],
    "by_difficulty": [
        {"first_pass": 2, "bins": [{"algorithm": {"kind": "mcts", "iterations": 6, "children": 3, "depth": 4}}]},
        {"first_pass": 4, "batch": 3, "bins": [{"algorithm": {"kind": "best_of_n", "n": 9, "batch": 3}}]},
        {"first_pass": 4, "bins": [{"algorithm": {"kind": "best_of_n", "n": 3}}]},
        {"first_pass": 3, "bins": [{"algorithm": {"kind": "ab_mcts", "expansions": 9, "depth": 3}}]},
        {"first_pass": 3, "bins": [{"algorithm": {"kind": "beam", "width": 2, "depth": 3, "lookahead": 1}}]},
        {
            "by": "agreement",
            "bins": [
                {"up_to": 0.4, "algorithm": {"kind": "greedy"}},
                {
                    "algorithm": {"kind": "particle_filter", "particles": 3, "depth": 3},
                    "mixture": {"share": 0.5, "algorithm": {"kind": "best_of_n", "n": 8, "stop": "beta"}},
                },
            ],
        },
    ],
}
"""Settings under which each algorithm is put on trial; one that is missing here runs with its defaults."""

WRITTEN = TypeAdapter[Options](Algorithm)
"""Reads the options of any search as they are written in a workflow."""


def all_settings() -> list[Options]:
    """Every algorithm found on disk, under each of its small settings."""
    return [
        WRITTEN.validate_python({"kind": name, **settings})
        for name in kinds("search")
        for settings in SMALL.get(name, [{}])
    ]


def new_search(options: Options) -> Search:
    """The search over the toy problem."""
    search: Search = find("search", options.kind).module.build(options, ROOT, 1)
    return search


def grow(expansion: Expansion, failure_rate: float = 0.0) -> Outcome:
    """What an expansion brings: chance decides by lineage, so order can't matter."""
    children = [_child(expansion, k, failure_rate) for k in range(expansion.first, expansion.first + expansion.count)]
    return Outcome(expansion.ticket, tuple(children), (("policy", Usage(3, 2 * expansion.count, calls=1)),))


def _child(expansion: Expansion, k: int, failure_rate: float) -> Candidate:
    stem = expansion.parent.stem
    lineage = (*stem.lineage, k)
    rng = random.Random(repr(lineage))
    parents = len(stem.steps)
    if rng.random() < failure_rate:
        lost = stem.extend((), k, StopReason.FAILED)
        return Candidate(lost, failure=Failure("backend", "lost"), parent_steps=parents)
    ends = expansion.to_end or rng.random() < 0.2
    trajectory = stem.extend((Step(f"{lineage}\n"),), k, StopReason.ANSWERED if ends else None)
    answer = Answer("", str(rng.randrange(3))) if ends and rng.random() < 0.9 else None
    if not expansion.judge:
        return Candidate(trajectory, answer, parent_steps=parents)
    if rng.random() < failure_rate:
        return Candidate(trajectory, answer, failed("no verdict"), parent_steps=parents)
    return Candidate(trajectory, answer, judged(rng.random(), scale="probability", source="rule"), None, parents)


def run(
    search: Search,
    window: int,
    failure_rate: float = 0.0,
    between: Callable[[Search], Search] = lambda search: search,
) -> tuple[list[Expansion], Search]:
    """Drive a search by hand, telling in ticket order; ``between`` may swap the search after each tell."""
    asked: list[Expansion] = []
    out: dict[int, Expansion] = {}
    while not search.finished:
        new = search.ask(window - len(out))
        assert len(new) <= window - len(out), "asked for more than there is room for"
        asked += new
        out |= {expansion.ticket: expansion for expansion in new}
        assert out, "neither finished nor waiting for anything"
        ticket = min(out)
        search.tell(grow(out.pop(ticket), failure_rate))
        search = between(search)
    return asked, search
