"""Presenting: how a trained reward model is shown a problem and a solution: as a conversation or as plain text.

1. As chat: the problem is the user's message, the solution the assistant's; the model's server has the template.
2. As completion: the filled template, and the solution right behind it.

What is filled in is never evaluated.
"""

from __future__ import annotations

from string import Template
from typing import Any, ClassVar, Literal

from pydantic import Field

from branchwise.orchestrator.core.message import assistant, system, user
from branchwise.orchestrator.core.options import JudgingOptions
from branchwise.orchestrator.core.placeholders import Placeholders, Templated
from branchwise.orchestrator.core.request import Request


class PresentedOptions(Templated, JudgingOptions):
    """Options of a reward model that reads a problem and a solution."""

    placeholders: ClassVar[Placeholders] = Placeholders((), ("problem",))
    model: str = Field(description="Name of the reward model, from the workflow's models.")
    style: Literal["chat", "completion"] = Field(
        "chat", description="chat: a user's and an assistant's message; completion: one text."
    )
    prompt: str | None = Field(
        None, description="Template of what stands before the solution, with $problem; default: the problem alone."
    )
    system: str | None = Field(None, description="System message, for chat.")

    @property
    def before(self) -> str:
        """The template of what stands before the solution."""
        return self.prompt or ("$problem" if self.style == "chat" else "$problem\n")


def presented(options: PresentedOptions, problem: str, solution: str, **asked: Any) -> Request:
    """The request that shows this solution of a problem; ``asked`` are further fields of it."""
    before = Template(options.before).safe_substitute(problem=problem)
    asked = {"max_tokens": 0, "temperature": 0.0, **asked}
    if options.style == "completion":
        return Request(prompt=before + solution, **asked)
    opening = (system(options.system),) if options.system else ()
    return Request(messages=(*opening, user(before), assistant(solution)), **asked)
