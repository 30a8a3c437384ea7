"""Countdown as a world: the state is the numbers at hand, an action is a step as it is written.

1. A step that keeps the rules changes the numbers at hand; the steps that do are the admissible actions.
2. The episode is over, with reward 1, when a step's result is the target; with reward 0, when one number is left.
3. A step that breaks a rule ends the episode, too: nothing leads on from there, as in a written solution.
"""

from __future__ import annotations

from branchwise.orchestrator.core.world import Observation, World
from branchwise.tasks.countdown.generator import Puzzle
from branchwise.tasks.countdown.rules import Numbers, follow, legal_moves, parse_step, shown, written


def world(numbers: int) -> World:
    """The world of puzzles of so many numbers."""
    return World(repeatable=True, snapshots=True, max_steps=numbers - 1, prompt_tokens=4096)


class Countdown:
    """One episode."""

    def __init__(self, puzzle: Puzzle) -> None:
        self._target, self._numbers = puzzle.target, puzzle.numbers

    async def start(self) -> Observation:
        """The numbers given."""
        return self._seen(reached=False)

    async def step(self, action: str) -> Observation:
        """The numbers at hand after a step, or why the episode is over."""
        (left,) = follow(self._numbers, [action])
        step = parse_step(action)
        if left is None or step is None:
            return Observation(f"Not allowed with {shown(self._numbers)} at hand.", done=True)
        self._numbers = left
        return self._seen(reached=step.result == self._target)

    async def snapshot(self) -> Numbers:
        """The numbers at hand."""
        return self._numbers

    async def restore(self, snapshot: Numbers) -> None:
        """Have these numbers at hand again."""
        self._numbers = snapshot

    async def aclose(self) -> None:
        """Nothing to close."""

    def _seen(self, reached: bool) -> Observation:
        at_hand = self._numbers
        over = reached or len(at_hand) == 1
        actions = () if over else tuple(written(at_hand, move) for move in legal_moves(at_hand))
        text = f"{self._target} is reached." if reached else f"At hand: {shown(at_hand)}"
        return Observation(text, float(reached), over, shown(at_hand), actions)
