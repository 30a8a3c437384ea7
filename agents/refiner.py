"""Refiner: writes a draft anew, given the reviewer's feedback."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from branchwise.agents.asking import Asking, AskingOptions, asking, asking_needs
from branchwise.orchestrator.core.options import Parts
from branchwise.orchestrator.core.placeholders import Placeholders


class Options(AskingOptions):
    """Options of the refiner."""

    kind: Literal["refiner"] = "refiner"
    placeholders: ClassVar[Placeholders] = Placeholders(("draft",), ("problem", "feedback"))
    prompt: str = Field("refiner", description=AskingOptions.model_fields["prompt"].description)


needs = asking_needs


def build(options: Options, parts: Parts) -> Asking:
    """A refiner."""
    return asking(options, parts)
