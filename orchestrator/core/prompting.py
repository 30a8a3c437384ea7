"""Prompted: one model that is asked by one template; and the options of the parts that judge in this way.

What is filled in is never evaluated, and what a model wrote can't reach into the template: names are filled in once,
and a line that is one of the template's headings, such as ``Answer B:``, is quoted (``> ``).
Draws that are sampled take their seed by content (``seed_by_content``): equal texts are judged alike wherever they
stand in whichever tree, and a run that is resumed finds its own draws.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from string import Template
from typing import Final, Literal

from pydantic import Field

from branchwise.orchestrator.core.message import assistant, system, user
from branchwise.orchestrator.core.options import JudgingOptions
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.usage import Usage

Style = Literal["chat", "completion"]
SOURCE = "learned: the model was trained to judge in this way; judge: it was only asked to."
"""What the option ``source`` of a paper's reward model says, which any model may stand in for."""

_BREAKS: Final = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
"""All that a reader may take for the end of a line."""


class PromptedOptions(JudgingOptions):
    """Options of every part that asks a model for its judgement."""

    model: str = Field(description="Name of the model that is asked, from the workflow's models.")
    prompt: str | None = Field(None, description="Template in the place of the one that ships with this kind.")
    style: Style = Field("chat", description="Send the prompt as a user's message, or as plain text to be continued.")
    system: str | None = Field(None, description="System message, for chat.")
    seed: int = Field(0, ge=0, description="Of its draws where they are sampled: another seed draws others.")


@dataclass(frozen=True, slots=True)
class Prompted:
    """A model, and the template that it is asked by."""

    model: Backend
    template: Template
    style: Style = "chat"
    system: str | None = None

    def filled(self, **values: object) -> str:
        """The template with these values in it, no line of which can be taken for a heading of the template."""
        heading = _headings(self.template.template)
        return self.template.safe_substitute({name: quoted(str(value), heading) for name, value in values.items()})

    def places(self, *names: str) -> int:
        """How often the template shows what has this name; of several names the one that it shows most often."""
        found = self.template.pattern.finditer(self.template.template)
        shown = [match["named"] or match["braced"] for match in found]
        return max(map(shown.count, names))

    def request(
        self,
        prompt: str,
        *,
        max_tokens: int,
        begun: str = "",
        temperature: float = 0.0,
        seed: int = 0,
        stop: tuple[str, ...] = (),
        logprobs: int | None = None,
        json_schema: str | None = None,
    ) -> Request:
        """One call: the filled ``prompt``, answered from what was ``begun`` of an answer on."""
        chat, opening = self.style == "chat", (system(self.system),) if self.system else ()
        return Request(
            messages=(*opening, user(prompt), *((assistant(begun),) if begun else ())) if chat else (),
            prompt=None if chat else prompt + begun,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            stop=stop,
            logprobs=logprobs,
            json_schema=json_schema,
        )

    def bound(self, request: Request, calls: int, more_prompt_tokens: int = 0) -> Usage:
        """The most that so many calls like this one use, whose prompts may be longer by so many tokens."""
        tokens, exact = self.model.count_prompt(request)
        used = calls * (tokens + more_prompt_tokens)
        return Usage(used, calls * request.max_tokens, calls=calls, exact=exact and not more_prompt_tokens)


@lru_cache
def _headings(template: str) -> str:
    """A regular expression of the template's headings, each alone in its line."""
    lines = (line.strip() for line in template.splitlines())
    headings = "|".join(re.escape(line) for line in lines if line.endswith(":") and "$" not in line)
    return rf"(?:{headings})[^\w{_BREAKS}]{{0,20}}(?:[{_BREAKS}]|\Z)" if headings else "(?!)"


def quoted(text: str, heading: str) -> str:
    """The text with ``> `` before each line that begins like a heading, given as a regular expression."""
    begins = rf"(?<![^{_BREAKS}])(?=[^\w{_BREAKS}]{{0,20}}{heading})"
    return re.sub(begins, "> ", text, flags=re.IGNORECASE)


def tokens_of(model: Backend, text: str) -> int:
    """The most tokens that a text is to a model."""
    return model.count_prompt(Request(prompt=text, max_tokens=1))[0]


def prompted(options: PromptedOptions, model: Backend, shipped: str) -> Prompted:
    """The model as its options say, asked by the ``shipped`` template where they name no other."""
    return Prompted(model, Template(options.prompt or shipped), options.style, options.system)


def prompted_needs(options: PromptedOptions, *more: str) -> dict[str, frozenset[str]]:
    """The capabilities that such a part wants of its model: to be asked in its style, and ``more``."""
    return {options.model: frozenset({options.style, *more})}
