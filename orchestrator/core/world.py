"""World and Observation: what a task's world declares about itself, and what it shows after an action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class World:
    """What a task's world declares.

    ``repeatable``: the same actions from the start show the same again, and doing them again harms nobody.
    ``snapshots``: its environments can save their state and go back to it; else they are forked by replay.
    ``max_steps`` ends an episode; ``max_instances`` live at most for one problem. ``prompt_tokens`` is the most that
    all it shows adds to one prompt: what a hard budget books. ``facts`` go on record: versions, wording, settings.
    """

    repeatable: bool = True
    snapshots: bool = False
    max_steps: int = 50
    max_instances: int = 4
    prompt_tokens: int = 2048
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a world shows at the start and after each action.

    ``reward`` is what the last action earned. ``key`` names the state: equal for equal states of one problem, in any
    instance and any process. ``actions`` are the admissible ones, where the world lists them.
    """

    text: str
    reward: float = 0.0
    done: bool = False
    key: str | None = None
    actions: tuple[str, ...] | None = None
