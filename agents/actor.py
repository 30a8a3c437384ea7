"""Actor: asks a model for the next action in a world, given the task and what was done and seen so far.

1. The prompt is filled in with the task, what the world showed at the start, every action since with what it showed,
   and the admissible actions, where the world lists them and ``list_actions`` is on.
2. The action is what follows the last ``marker`` in the reply, else the reply's first line; thoughts before it stay
   in the step's text. One that is admissible but for case and blanks is taken as that one.
3. The world ends the episode, not the model: one reply is one action.

Thoughts and actions in turn: ReAct, Yao et al. 2022, arXiv 2210.03629.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Any, ClassVar, Literal

from pydantic import Field

from branchwise.agents.asking import AskingOptions, template_of
from branchwise.orchestrator.core.message import system, user
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Backend, Reply, View
from branchwise.orchestrator.core.trajectory import Step, StopReason
from branchwise.orchestrator.core.usage import Usage


class Options(AskingOptions):
    """Options of the actor."""

    kind: Literal["actor"] = "actor"
    placeholders: ClassVar[Placeholders] = Placeholders(("problem",), ("opening", "history", "actions"))
    prompt: str = Field(
        "actor",
        description="Template: a shipped name, a .txt file, or the text itself; $problem, $opening, $history and "
        "$actions are filled in.",
    )
    max_tokens: int = Field(128, gt=0, description="Most tokens of one reply.")
    list_actions: bool = Field(True, description="Show the admissible actions, where the world lists them.")
    thoughts: bool = Field(False, description="Show earlier replies whole, not their actions only.")
    marker: str = Field("Action:", min_length=1, description="What stands before the action in a reply.")
    wants_world: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Actor:
    """An agent that acts."""

    options: Options
    model: Backend
    template: Template

    async def reply(self, view: View) -> list[Reply]:
        """``view.count`` actions, in sibling order. BackendError where the model can't answer."""
        draws = await self.model.generate(self.request(view))
        return [self._read(draw, view) for draw in draws]

    def bound(self, view: View) -> Usage:
        """The counted prompt and max_tokens of every draw, in one call."""
        request = self.request(view)
        tokens, exact = self.model.count_prompt(request)
        return Usage(tokens, view.count * request.max_tokens, calls=1, exact=exact)

    def request(self, view: View) -> Request:
        """What the model is asked."""
        options = self.options
        temperature = options.temperature if view.temperature is None else view.temperature
        sampling: dict[str, Any] = {
            "n": view.count,
            "seed": view.seed,
            "temperature": temperature,
            "top_p": options.top_p,
            "max_tokens": options.max_tokens,
            "stop": tuple(options.stop),
        }
        if options.style == "completion":
            return Request(prompt=self._prompt(view), **sampling)
        messages = [system(options.system)] if options.system else []
        return Request(messages=(*messages, user(self._prompt(view))), **sampling)

    def _prompt(self, view: View) -> str:
        listed = view.actions if self.options.list_actions else None
        return self.template.safe_substitute(
            problem=view.trajectory.problem.text,
            opening=view.opening,
            history="\n".join(map(self._turn, view.trajectory.steps)),
            actions=", ".join(listed or ()),
        )

    def _turn(self, step: Step) -> str:
        done = step.text.strip() if self.options.thoughts or step.action is None else step.action
        return f"> {done}\n{step.observation or ''}"

    def _read(self, draw: Draw, view: View) -> Reply:
        action = _spelled(action_in(draw.text, self.options.marker), view.actions or ())
        step = Step(draw.text.rstrip("\n") + "\n", model=draw.model, action=action)
        cut_off = StopReason.MAX_TOKENS if draw.finish == "length" else None
        return Reply((step,), cut_off if action else StopReason.BAD_FORMAT)


def action_in(text: str, marker: str) -> str:
    """The action that a reply states: what follows the last marker, else its first line; empty where none does."""
    _, marked, after = text.rpartition(marker)
    lines = (after if marked else text).strip().splitlines()
    return lines[0].strip().removeprefix(">").strip() if lines else ""


def _spelled(action: str, admissible: tuple[str, ...]) -> str:
    """The admissible action that this one is, but for case and blanks; else the action as it is."""
    if action in admissible:
        return action
    plain = " ".join(action.casefold().split())
    return next((one for one in admissible if one.casefold() == plain), action)


def needs(options: Options, stepwise: bool = False) -> dict[str, frozenset[str]]:
    """One reply is one step, so nothing more is wanted for single steps."""
    return {options.model: frozenset({"chat" if options.style == "chat" else "completion"})}


def build(options: Options, parts: Parts) -> Actor:
    """An actor."""
    template = Template(template_of(options, parts.directory))
    return Actor(options, parts.model(options.model), template)
