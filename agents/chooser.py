"""Chooser: proposes admissible actions of a world at random, without a model.

Child k of a node is number k of one shuffle of the actions that are admissible there, so no two children are the same
until every action has been proposed; then it begins again from the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from branchwise.orchestrator.core.errors import AgentFormatError
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.roles import Reply, View
from branchwise.orchestrator.core.seeds import SEED_SPACE, chance
from branchwise.orchestrator.core.trajectory import Step
from branchwise.orchestrator.core.usage import NOTHING, Usage


class Options(_Options):
    """Options of the chooser."""

    kind: Literal["chooser"] = "chooser"
    wants_world: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Chooser:
    """An agent without a model."""

    async def reply(self, view: View) -> list[Reply]:
        """``view.count`` actions, in sibling order. AgentFormatError where the world lists none."""
        if not view.actions:
            raise AgentFormatError("there is no list of admissible actions to choose from")
        actions = list(view.actions)
        chance((view.seed - view.first) % SEED_SPACE, "actions").shuffle(actions)
        numbers = range(view.first, view.first + view.count)
        return [_reply(actions[number % len(actions)]) for number in numbers]

    def bound(self, view: View) -> Usage:
        """No model, nothing."""
        return NOTHING


def _reply(action: str) -> Reply:
    return Reply((Step(f"{action}\n", action=action),), None)


def build(options: Options, parts: Parts) -> Chooser:
    """A chooser."""
    return Chooser()
