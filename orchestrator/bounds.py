"""Bounds of a search node: the most that it can use on a problem, played through without any model.

1. The search is told of children that never end early and are as long as they may be; each draw and each judgement
   costs its own bound, whichever of the node's policies makes it.
2. Where the algorithm may take more draws than that play showed, or rewards decide how deep it draws (``adaptive``),
   its declared ``most_draws`` times the dearest draw is taken.
3. A tournament costs its comparisons, each of the two longest answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.roles import Pair
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import NOTHING, Usage
from branchwise.orchestrator.engine.contest import ROLE, Contest
from branchwise.orchestrator.engine.expand import Means, bound_of
from branchwise.orchestrator.plugins import find
from branchwise.orchestrator.workflow.facts import most_draws
from branchwise.orchestrator.workflow.policies import OWN, policies_of
from branchwise.orchestrator.workflow.spec import SearchNode
from branchwise.orchestrator.workflow.validate import stepwise


@dataclass(frozen=True, slots=True)
class Most:
    """Upper bounds by role: of everything together, and of the dearest single call's; how many pairs are compared."""

    used: dict[str, Usage]
    dearest: dict[str, Usage]
    comparisons: int = 0


@dataclass(slots=True)
class Playing:
    """A search node on one problem. ``dearest`` is that of what was played so far, by role."""

    node: SearchNode
    means: Means
    problem: Problem
    dearest: dict[str, Usage] = field(default_factory=dict)

    def most(self, contest: Contest | None) -> Most | None:
        """The bounds; None where the algorithm declares no most_draws."""
        declared = most_draws(self.node.algorithm)
        if declared is None:
            return None
        used, draws = self._played(declared)
        answer = self._way_down()
        if draws < declared or getattr(self.node.algorithm, "adaptive", False):
            used = {role: times(usage, declared) for role, usage in self.dearest.items()}
        if contest is None:
            return Most(used, self.dearest)
        once, count = contest.bound([Pair(answer, answer)]), contest.comparisons(declared)
        return Most(used | {ROLE: times(once, count)}, self.dearest | {ROLE: once}, count)

    def _played(self, declared: int) -> tuple[dict[str, Usage], int]:
        """What is used where children never end early, and how many of them there are."""
        search = find("search", self.node.algorithm.kind).module.build(
            self.node.algorithm, Trajectory(self.problem), 0
        )
        used, draws = dict[str, Usage](), 0
        while not search.finished and draws < declared:
            asked: list[Expansion] = search.ask(self.node.window)
            if not asked:
                break
            for expansion in asked:
                draws += expansion.count
                bounds = self._bounds(expansion)
                for role, usage in bounds.items():
                    used[role] = used.get(role, NOTHING) + times(usage, expansion.count)
                search.tell(longest(expansion, bounds[self.means.purpose].completion_tokens))
        return used, draws

    def _way_down(self) -> Candidate:
        """The answer at the end of a way of longest steps, or of longest revisions; they count if adaptive."""
        adaptive, parent = getattr(self.node.algorithm, "adaptive", False), Trajectory(self.problem)
        known = dict(self.dearest)
        for _ in range(getattr(self.node.algorithm, "depth", 1)):
            answer = self._grown(Expansion(0, parent, to_end=True))
            parent = self._grown(Expansion(0, parent)).trajectory if stepwise(self.node) else answer.trajectory
        self.dearest = self.dearest if adaptive else known
        return answer

    def _grown(self, expansion: Expansion) -> Candidate:
        return longest(expansion, self._bounds(expansion)[self.means.purpose].completion_tokens).candidates[0]

    def _bounds(self, expansion: Expansion) -> dict[str, Usage]:
        """The most that a child of this expansion uses by role, whichever of the policies proposes it."""
        names = (None if name == OWN else name for name in policies_of(self.node.algorithm))
        most = greatest(pair for name in names for pair in bound_of(replace(expansion, policy=name), self.means))
        self.dearest = greatest([*self.dearest.items(), *most.items()])
        return most


def longest(expansion: Expansion, tokens: int) -> Outcome:
    """Children as long as they may be; they go on unless the whole answer was asked for."""
    stop = StopReason.ANSWERED if expansion.to_end else None
    numbers, stem = range(expansion.first, expansion.first + expansion.count), expansion.parent.stem
    children = [stem.extend((Step("x" * tokens),), k, stop) for k in numbers]
    return Outcome(expansion.ticket, tuple(Candidate(child, parent_steps=len(stem.steps)) for child in children))


def greatest(usages: Iterable[tuple[str, Usage]]) -> dict[str, Usage]:
    """The greatest of each number, by role."""
    most: dict[str, Usage] = {}
    for role, usage in usages:
        most[role] = greater(most.get(role, NOTHING), usage)
    return most


def times(usage: Usage, count: int) -> Usage:
    """So many times the same."""
    return Usage(
        usage.prompt_tokens * count,
        usage.completion_tokens * count,
        calls=usage.calls * count,
        money=usage.money * count,
        exact=False,
    )


def greater(one: Usage, other: Usage) -> Usage:
    """The greater of each number."""
    return Usage(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        calls=max(one.calls, other.calls),
        money=max(one.money, other.money),
        exact=False,
    )
