"""Reviewer: reads a draft and says whether it is accepted; its text is the refiner's feedback.

A review that contains the accepting word (default ACCEPT) as a word of its own, and not the revising one
(REVISE), accepts. Anything else asks for a revision: a verdict that can't be read never lets a draft through.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import Field

from branchwise.agents.asking import Asking, AskingOptions, asking, asking_needs
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.roles import Reply, View
from branchwise.orchestrator.core.usage import Usage

ROUTES = ("accept", "revise")


class Options(AskingOptions):
    """Options of the reviewer."""

    kind: Literal["reviewer"] = "reviewer"
    placeholders: ClassVar[Placeholders] = Placeholders(("draft",), ("problem", "feedback"))
    prompt: str = Field("reviewer", description=AskingOptions.model_fields["prompt"].description)
    accept: str = Field("ACCEPT", min_length=1, description="The word that lets a draft through.")
    revise: str = Field("REVISE", min_length=1, description="The word that sends it back.")


def verdict(options: Options, review: str) -> str:
    """What a review decides: one of ROUTES."""

    def says(word: str) -> bool:
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", review, re.IGNORECASE) is not None

    return "accept" if says(options.accept) and not says(options.revise) else "revise"


@dataclass(frozen=True, slots=True)
class Reviewer:
    """An agent whose replies carry a verdict."""

    options: Options
    asking: Asking

    async def reply(self, view: View) -> list[Reply]:
        """Reviews, each with its route."""
        replies = await self.asking.reply(view)
        return [replace(reply, route=verdict(self.options, reply.text)) for reply in replies]

    def bound(self, view: View) -> Usage:
        """As of any agent."""
        return self.asking.bound(view)


needs = asking_needs


def build(options: Options, parts: Parts) -> Reviewer:
    """A reviewer."""
    return Reviewer(options, asking(options, parts))
