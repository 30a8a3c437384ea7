"""Level by level: grow all that was chosen, then choose among all that was grown, until nothing is left to grow.

1. Grow ``root_expansions`` children of the root (default: ``expansions``).
2. When the whole level is there, ``choose`` says what is finished and from which children to go on.
3. Grow ``expansions`` children of each of these, at the last depth to the end of the answer.
4. Repeat 2 and 3 until nothing is left to grow or ``depth`` is reached.

Beam search, tree of thoughts and PAV-steered beam search differ in how they choose, and in nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from pydantic import Field

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search.growing import Brood, Growth

Worth = Callable[[Candidate], float | None]


class LevelOptions(_Options):
    """Options of every search that goes level by level."""

    width: int = Field(4, gt=0, description="Partial solutions kept at each depth.")
    expansions: int = Field(4, gt=0, description="Children grown from each of them.")
    root_expansions: int | None = Field(None, gt=0, description="Children grown from the root; default: expansions.")
    depth: int = Field(8, gt=0, description="Most steps; the last one is drawn to the end of the answer.")
    deduplicate: bool = Field(False, description="Keep only the first of partial solutions with equal text.")
    wants_reward: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True

    @property
    def first(self) -> int:
        """Children of the root."""
        return self.root_expansions or self.expansions


class Chosen(NamedTuple):
    """What is finished by now, and which children go on."""

    finished: list[Candidate]
    survivors: list[Candidate]


Choose = Callable[[list[Candidate], list[Brood]], Chosen]
"""From what was finished before and the broods of a level, in the order wanted."""


@dataclass(slots=True)
class State:
    """Everything that changes."""

    growth: Growth
    depth: int = 0
    grown: dict[int, Brood] = field(default_factory=dict)
    finished: list[Candidate] = field(default_factory=list)


class Levels:
    """The search over one problem."""

    def __init__(self, options: LevelOptions, root: Trajectory, choose: Choose, lookahead: int = 0) -> None:
        self._options, self._choose = options, choose
        self.state = State(Growth(lookahead))
        self.state.growth.start(root, options.first, to_end=options.depth == 1)

    @property
    def finished(self) -> bool:
        """True when nothing is left to grow."""
        return self.state.growth.idle

    def ask(self, room: int) -> list[Expansion]:
        """Expansions of this level that have not been asked for yet."""
        return self.state.growth.ask(room)

    def tell(self, outcome: Outcome) -> None:
        """Take in the children; when the level is complete, choose who goes on."""
        state = self.state
        brood = state.growth.tell(outcome)
        if brood is not None:
            state.grown[brood.number] = brood
        if state.growth.idle:
            self._next_level([state.grown[number] for number in sorted(state.grown)])

    def candidates(self) -> list[Candidate]:
        """The finished solutions, shallow ones first."""
        unsorted = self.state.grown | self.state.growth.broods
        return self.state.finished + finished(unsorted[number] for number in sorted(unsorted))

    def _next_level(self, level: list[Brood]) -> None:
        state, options = self.state, self._options
        state.grown = {}
        state.depth += 1
        state.finished, survivors = self._choose(state.finished, level)
        for child in survivors:
            state.growth.go_on(child, options.expansions, to_end=state.depth == options.depth - 1)


def best(candidates: Iterable[Candidate], width: int, worth: Worth, deduplicate: bool = False) -> list[Candidate]:
    """The ``width`` best, at least one, best first; those without worth last, ties in the order grown."""
    ranked = sorted(_distinct(candidates) if deduplicate else candidates, key=lambda one: descending(worth(one)))
    return ranked[: max(1, width)]


def descending(worth: float | None) -> float:
    """A sort key: great worth first, none last."""
    return math.inf if worth is None else -worth


def value(candidate: Candidate) -> float | None:
    """The judged value as a candidate's worth."""
    return candidate.value


def alive(broods: Iterable[Brood]) -> list[Candidate]:
    """The children that may go on."""
    return [child for brood in broods for child in brood.children if child.alive]


def finished(broods: Iterable[Brood]) -> list[Candidate]:
    """The children that are finished solutions."""
    return [child for brood in broods for child in brood.children if child.done]


def most_draws(options: LevelOptions, lookahead: int = 0) -> int:
    """Draws of the policy that one problem takes at most."""
    kept = [min(options.width, int(options.first * options.expansions**level)) for level in range(options.depth - 1)]
    drawn = [options.first, *(options.expansions * beams for beams in kept)]
    return sum(drawn) + lookahead * sum(drawn[:-1])


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    first: dict[str, Candidate] = {}
    for candidate in candidates:
        first.setdefault(candidate.trajectory.text, candidate)
    return list(first.values())
