"""Solver: proposes whole answers, or one step at a time; inside a search it is the policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from branchwise.agents.asking import Asking, AskingOptions, Steps, asking, asking_needs
from branchwise.orchestrator.core.options import Parts


class Options(AskingOptions):
    """Options of the solver."""

    kind: Literal["solver"] = "solver"
    prompt: str = Field("solver", description=AskingOptions.model_fields["prompt"].description)
    step_separator: str = Field("\n\n", min_length=1, description="Text that ends a step; it stays in the step.")
    max_step_tokens: int = Field(256, gt=0, description="Most tokens of one step.")
    final: str | None = Field(
        None, description="A step that contains this text is the last: for servers that don't tell a stop string "
        "from the model's own end.",
    )  # fmt: skip


def needs(options: Options, stepwise: bool = False) -> dict[str, frozenset[str]]:
    """A chat model must be able to continue a message where steps are wanted of it."""
    wanted = asking_needs(options)[options.model]
    if stepwise:
        wanted |= {"continue_message"} if options.style == "chat" else frozenset()
        wanted |= {"knows_stop"} if options.final is None else frozenset()
    return {options.model: wanted}


def build(options: Options, parts: Parts) -> Asking:
    """A solver."""
    return asking(options, parts, Steps(options.step_separator, options.max_step_tokens, options.final))
