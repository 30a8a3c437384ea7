"""What all agents share: a prompt template, sampling settings, one request a reply, steps split at separators.

Solver, reviewer and refiner differ in their prompt and in what is read out of the reply, nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.message import assistant, system, user
from branchwise.orchestrator.core.options import Options, Parts
from branchwise.orchestrator.core.placeholders import Placeholders
from branchwise.orchestrator.core.request import Draw, Request
from branchwise.orchestrator.core.roles import Backend, Reply, View
from branchwise.orchestrator.core.trajectory import Step, StopReason, Tokens, continued
from branchwise.orchestrator.core.usage import Usage

PROMPTS = Path(__file__).parent / "prompts"


class AskingOptions(Options):
    """Options that every agent has. An agent that fills in other names in its template says so (``placeholders``)."""

    placeholders: ClassVar[Placeholders] = Placeholders(("problem",), ("draft", "feedback"))
    model: str = Field(description="Name of the model that speaks, from the workflow's models.")
    prompt: str = Field(
        description="Template: a shipped name, a .txt file, or the text itself; $problem, $draft and $feedback "
        "are filled in."
    )
    style: Literal["chat", "completion"] = Field(
        "chat", description="Send the prompt as a user's message, or as plain text to be continued."
    )
    system: str | None = Field(None, description="System message, for chat.")
    temperature: float = Field(1.0, ge=0, description="Sampling temperature.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus sampling.")
    max_tokens: int = Field(512, gt=0, description="Most tokens of a whole reply.")
    stop: list[str] = Field(default_factory=list, description="Strings that end a whole reply.")

    @field_validator("prompt")
    @classmethod
    def _complete(cls, prompt: str) -> str:
        return cls.placeholders.checked(prompt) if _is_text(prompt) else prompt


@dataclass(frozen=True, slots=True)
class Steps:
    """How a text is cut into steps: each ends with its separator; empty separator, no steps."""

    separator: str = ""
    max_tokens: int = 512
    final: str | None = None

    def split(self, text: str) -> tuple[Step, ...]:
        """The steps of a text, separators kept: joined they are the text."""
        if not self.separator or not text:
            return (Step(text),) if text else ()
        parts = text.split(self.separator)
        texts = [part + self.separator for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
        return tuple(Step(one) for one in texts)


class Asking:
    """An agent that fills its template, asks its model and cuts the reply into steps."""

    def __init__(self, options: AskingOptions, model: Backend, template: str, steps: Steps) -> None:
        self._options, self._model, self._steps = options, model, steps
        self._template = Template(template)

    async def reply(self, view: View) -> list[Reply]:
        """``view.count`` replies, in sibling order. BackendError where the model can't answer."""
        draws = await self._model.generate(self.request(view))
        origin = self._origin(view) if any(draw.token_ids for draw in draws) else ""
        return [self._read(draw, view, origin) for draw in draws]

    def bound(self, view: View) -> Usage:
        """The counted prompt and max_tokens of every draw, in one call."""
        request = self.request(view)
        tokens, exact = self._model.count_prompt(request)
        return Usage(tokens, view.count * request.max_tokens, calls=1, exact=exact)

    def request(self, view: View) -> Request:
        """What the model is asked: the filled prompt, continued by the steps so far.

        Where all steps are there as token ids and the model takes them, these are sent: what was drawn is gone on
        from token by token, so that its prefix is cached and no boundary is tokenised anew.
        """
        options, trajectory = self._options, view.trajectory
        single = not view.to_end
        sampling = dict[str, object](
            n=view.count,
            seed=view.seed,
            temperature=options.temperature if view.temperature is None else view.temperature,
            top_p=options.top_p,
            max_tokens=self._steps.max_tokens if single else options.max_tokens,
            stop=(self._steps.separator,) if single else tuple(options.stop),
            keep_stop=single,
        )
        if (ids := self._ids(view)) is not None:
            return Request(token_ids=ids, **sampling)  # type: ignore[arg-type]
        prompt = self._prompt(view)
        if options.style == "completion":
            return Request(prompt=prompt + trajectory.text, **sampling)  # type: ignore[arg-type]
        messages = ([system(options.system)] if options.system else []) + [user(prompt)]
        if trajectory.steps:
            messages.append(assistant(trajectory.text))
        return Request(messages=tuple(messages), **sampling)  # type: ignore[arg-type]

    def _prompt(self, view: View) -> str:
        return self._template.safe_substitute(
            problem=view.trajectory.problem.text, draft=view.draft or "", feedback=view.feedback or ""
        )

    def _ids(self, view: View) -> tuple[int, ...] | None:
        steps = view.trajectory.steps
        if not steps or steps[-1].tokens is None or not self._model.capabilities.token_ids:
            return None
        return continued(steps, self._origin(view))

    def _origin(self, view: View) -> str:
        """Which model was asked what, before the first step: ids hold for nothing else."""
        asked = (self._model.identity, self._options.style, self._options.system, self._prompt(view))
        return hashlib.blake2b(repr(asked).encode("utf-8", "replace"), digest_size=8).hexdigest()

    def _read(self, draw: Draw, view: View, origin: str) -> Reply:
        text, final = draw.text, self._steps.final
        stop: StopReason | None = StopReason.ANSWERED
        if draw.finish == "length":
            stop = StopReason.MAX_TOKENS
        elif not view.to_end and draw.finish == "stop" and not (final is not None and final in text):
            stop = None
        if view.to_end:
            return Reply(self._steps.split(text), stop)
        tokens = Tokens(draw.token_ids, draw.prompt_ids, origin) if draw.token_ids else None
        return Reply((Step(text, model=draw.model, tokens=tokens),), stop)


def template_of(options: AskingOptions, directory: Path) -> str:
    """A prompt's text: the text itself, a .txt file below ``directory``, or a shipped template's.

    ConfigError where there is none, or one that shows what the agent does not fill in, or not what it has to.
    """
    prompt = options.prompt
    if _is_text(prompt):
        return prompt
    path = directory / prompt if prompt.endswith(".txt") else PROMPTS / f"{prompt}.txt"
    try:
        return options.placeholders.checked(path.read_text(encoding="utf-8"))
    except OSError:
        shipped = ", ".join(sorted(file.stem for file in PROMPTS.glob("*.txt")))
        raise ConfigError(f"prompt '{prompt}': no such template; shipped ones: {shipped}") from None
    except ConfigError as error:
        raise ConfigError(f"prompt '{prompt}': {error}") from None


def _is_text(prompt: str) -> bool:
    """Whether a prompt is the template itself, and not the name of one."""
    return "$" in prompt or "\n" in prompt


def asking(options: AskingOptions, parts: Parts, steps: Steps | None = None) -> Asking:
    """An agent over the model that its options name."""
    template = template_of(options, parts.directory)
    return Asking(options, parts.model(options.model), template, steps or Steps(max_tokens=options.max_tokens))


def asking_needs(options: AskingOptions, stepwise: bool = False) -> dict[str, frozenset[str]]:
    """The capabilities that an agent wants of its model. ConfigError where single steps are wanted of it."""
    if stepwise:
        raise ConfigError(f"the agent kind '{options.kind}' writes whole answers only; use solver here")
    return {options.model: frozenset({"writes", "chat" if options.style == "chat" else "completion"})}
