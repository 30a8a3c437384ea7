"""Prompted: one model that is asked by one template; and the options of the parts that judge in this way.

What is filled in is never evaluated, and what a model wrote can't reach into the template: names are filled in once,
and a line that is one of the template's headings, such as ``Answer B:``, is quoted (``> ``).
Draws that are sampled take their seed by content (``seed_by_content``): equal texts are judged alike wherever they
stand in whichever tree, and a run that is resumed finds its own draws. A text that can't be read is drawn anew by a
seed that is made of the first one's, as often as the option ``retries`` allows.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from string import Template
from typing import ClassVar, Final, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from branchwise.orchestrator.core.message import assistant, system, user
from branchwise.orchestrator.core.options import JudgingOptions
from branchwise.orchestrator.core.placeholders import Templated, names_in
from branchwise.orchestrator.core.request import Request
from branchwise.orchestrator.core.roles import Backend
from branchwise.orchestrator.core.seeds import seed_by_content
from branchwise.orchestrator.core.usage import Usage

T = TypeVar("T")
Style = Literal["chat", "completion"]
SOURCE = "learned: the model was trained to judge in this way; judge: it was only asked to."
"""What the option ``source`` of a paper's reward model says, which any model may stand in for."""

_BREAKS: Final = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
"""All that a reader may take for the end of a line."""


class PromptedOptions(Templated, JudgingOptions):
    """Options of every part that asks a model for its judgement.

    A kind says what its template shows (``placeholders``), and which of its options, a rubric say, reach the model by
    the template alone (``told``).
    """

    told: ClassVar[tuple[str, ...]] = ()
    model: str = Field(description="Name of the model that is asked, from the workflow's models.")
    prompt: str | None = Field(None, description="Template in the place of the one that ships with this kind.")
    style: Style = Field("chat", description="Send the prompt as a user's message, or as plain text to be continued.")
    system: str | None = Field(None, description="System message, for chat.")
    seed: int = Field(0, ge=0, description="Of its draws where they are sampled: another seed draws others.")

    @model_validator(mode="after")
    def _all_told(self) -> Self:
        for name in self.told if self.prompt is not None else ():
            changed = getattr(self, name) != type(self).model_fields[name].default
            if changed and name not in names_in(self.prompt or ""):
                raise ValueError(f"the model is not told the {name}: the prompt has no ${name}")
        return self


class SamplingOptions(PromptedOptions):
    """Options of every part that reads its judgement from a text that the model writes."""

    temperature: float | None = Field(None, ge=0, description="Sampling temperature.")
    retries: int = Field(0, ge=0, description="Fresh draws, with other seeds, of a text that can't be read.")

    @model_validator(mode="after")
    def _drawn_anew(self) -> Self:
        if self.retries and not self.temperature_in_force:
            raise ValueError("retries want a temperature above 0: at 0 the same text comes again")
        return self

    @property
    def temperature_in_force(self) -> float:
        """That of its draws."""
        return self.temperature or 0.0

    @property
    def sampled(self) -> bool:
        """Whether there is a temperature, or a part within it is sampled."""
        return self.temperature_in_force > 0 or super().sampled


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A text that a model wrote, and what was read from it; None where that can't be."""

    text: str
    found: T | None


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

    async def read(self, request: Request, reader: Callable[[str], T | None], retries: int = 0) -> Reading[T]:
        """What is read from a draw, or from the first retry that can be read; nothing from one that was cut off.

        BackendError where the model can't answer.
        """

        async def attempt(number: int) -> Reading[T]:
            (draw,) = await self.model.generate(_anew(request, number))
            return Reading(draw.text, None if draw.finish == "length" else reader(draw.text))

        return await first_read(attempt, lambda reading: reading.found is not None, retries)

    def bound(self, request: Request, calls: int, more_prompt_tokens: int = 0) -> Usage:
        """The most that so many calls like this one use, whose prompts may be longer by so many tokens."""
        tokens, exact = self.model.count_prompt(request)
        used = calls * (tokens + more_prompt_tokens)
        return Usage(used, calls * request.max_tokens, calls=calls, exact=exact and not more_prompt_tokens)


async def first_read(draw: Callable[[int], Awaitable[T]], can_be_read: Callable[[T], bool], retries: int) -> T:
    """What was drawn first that can be read, of one and ``retries`` more, by their numbers from 0; else the last."""
    for number in range(retries):
        drawn = await draw(number)
        if can_be_read(drawn):
            return drawn
    return await draw(retries)


def _anew(request: Request, number: int) -> Request:
    """The same request, of a retry with a seed of its own."""
    return replace(request, seed=seed_by_content(request.seed or 0, "retry", number)) if number else request


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
