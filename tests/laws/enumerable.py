"""A small world whose every leaf is known, for the laws at the limits: what search ought to find, by enumeration.

A state is the tuple of actions that lead to it; after ``depth`` actions it is a leaf with a known value. Values of
inner states follow from the leaves: their mean under the policy (Q^pi) and their best (the optimum).

How child k of a state chooses its actions:
- ``enumerated``: by the digits of k, so that as many siblings as there are actions visit each of them once;
- ``sampled``: by chance, as the prior has it, addressed by lineage and ``seed``;
- at temperature 0: the prior's first favourite, whatever k.

    world = deceptive()
    asked, search = play(build(options, ROOT, 1), world, world.mean)
    assert world.best in map(world.actions, search.candidates())
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement, judged
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage

Actions = tuple[int, ...]
Judge = Callable[[Actions], float | Judgement | None]

ROOT = Trajectory(problem("an enumerable world", "enumerable"))


@dataclass(frozen=True)
class World:
    """A tree of equal depth and branching; ``leaf`` gives each leaf's value in [0, 1], ``prior`` each action's share.

    ``key`` names states that are the same by whatever way they were reached; ``seed`` is that of sampled actions.
    """

    leaf: Callable[[Actions], float]
    depth: int = 3
    branching: int = 3
    prior: tuple[float, ...] = ()
    drawing: Literal["enumerated", "sampled"] = "enumerated"
    seed: int = 0
    key: Callable[[Actions], str] | None = None

    @property
    def leaves(self) -> dict[Actions, float]:
        """Every leaf and its value."""
        return {
            actions: self.leaf(actions) for actions in itertools.product(range(self.branching), repeat=self.depth)
        }

    @property
    def best(self) -> Actions:
        """The leaf with the greatest value (the first of them)."""
        leaves = self.leaves
        return max(leaves, key=leaves.__getitem__)

    def probability(self, actions: Actions) -> float:
        """How likely the policy takes these actions one after the other."""
        return math.prod(self._shares[action] for action in actions)

    def mean(self, actions: Actions) -> float:
        """Q^pi: the expected leaf below these actions when the policy goes on."""
        if len(actions) == self.depth:
            return self.leaf(actions)
        return sum(share * self.mean((*actions, action)) for action, share in enumerate(self._shares))

    def optimum(self, actions: Actions = ()) -> float:
        """Q*: the best leaf below these actions."""
        if len(actions) == self.depth:
            return self.leaf(actions)
        return max(self.optimum((*actions, action)) for action in range(self.branching))

    def actions(self, of: Candidate | Trajectory) -> Actions:
        """Which actions a trajectory took."""
        trajectory = of.trajectory if isinstance(of, Candidate) else of
        return tuple(int(step.text) for step in trajectory.steps)

    def grow(self, expansion: Expansion, judge: Judge) -> Outcome:
        """The children that an expansion brings, judged by ``judge`` where it wants them judged."""
        siblings = range(expansion.first, expansion.first + expansion.count)
        children = tuple(self._child(expansion, k, judge) for k in siblings)
        return Outcome(expansion.ticket, children, (("policy", Usage(1, expansion.count, calls=1)),))

    @property
    def _shares(self) -> tuple[float, ...]:
        return self.prior or (1 / self.branching,) * self.branching

    def _child(self, expansion: Expansion, k: int, judge: Judge) -> Candidate:
        stem = expansion.parent.stem
        before = self.actions(stem)
        missing = self.depth - len(before)
        new = self._drawn(expansion, k, missing if expansion.to_end else 1)
        actions, leaf = before + new, len(new) == missing
        steps = tuple(Step(f"{action}\n", logprob=math.log(self._shares[action])) for action in new)
        child = stem.extend(steps, k, StopReason.ANSWERED if leaf else None)
        name = "".join(map(str, actions))
        return Candidate(
            child,
            Answer(name, name) if leaf else None,
            _judgement(judge(actions)) if expansion.judge else None,
            parent_steps=len(before),
            key=self.key(actions) if self.key is not None else None,
            reward=self.leaf(actions) if leaf else 0.0,
        )

    def _drawn(self, expansion: Expansion, k: int, count: int) -> Actions:
        if expansion.temperature == 0:
            return (max(range(self.branching), key=self._shares.__getitem__),) * count
        if self.drawing == "enumerated":
            return tuple(k // self.branching**place % self.branching for place in range(count))
        rng = chance(self.seed, *expansion.parent.lineage, k)
        return tuple(rng.choices(range(self.branching), self._shares, k=count))


def scattered(seed: int, depth: int = 3, branching: int = 3, **others: object) -> World:
    """Leaves of independent, evenly distributed values."""
    rng = random.Random(seed)
    values = {actions: rng.random() for actions in itertools.product(range(branching), repeat=depth)}
    return World(values.__getitem__, depth, branching, **others)  # type: ignore[arg-type]


def deceptive(depth: int = 3, branching: int = 3, **others: object) -> World:
    """The best leaf (1.0) hides where everything else is worthless; whoever goes by means takes action 0 (0.6)."""
    best = (branching - 1,) * depth

    def leaf(actions: Actions) -> float:
        return 0.6 if actions[0] == 0 else float(actions == best)

    return World(leaf, depth, branching, **others)  # type: ignore[arg-type]


def transposing(depth: int = 3, branching: int = 3, **others: object) -> World:
    """The order of actions does not matter: states with the same actions in them are one state, by ``key``."""

    def leaf(actions: Actions) -> float:
        return sum(actions) / (depth * (branching - 1))

    return World(leaf, depth, branching, key=lambda actions: repr(sorted(actions)), **others)  # type: ignore[arg-type]


def uniform(actions: Actions) -> float:
    """A judge without an opinion."""
    return 0.5


def play(search: Search, world: World, judge: Judge, window: int = 64) -> tuple[list[Expansion], Search]:
    """Drive a search to its end, telling in ticket order; what it asked for, and the search."""
    asked: list[Expansion] = []
    out: list[Expansion] = []
    while not search.finished:
        new = search.ask(window - len(out))
        asked += new
        out += new
        assert out, "neither finished nor waiting for anything"
        search.tell(world.grow(out.pop(0), judge))
    return asked, search


def _judgement(value: float | Judgement | None) -> Judgement | None:
    return judged(value, scale="probability", source="rule") if isinstance(value, int | float) else value
