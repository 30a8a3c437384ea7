r"""Placeholders: the names that a part fills in in its template, so that one forgotten or misspelt is refused.

``$name`` or ``${name}`` is a place, ``$$`` a dollar sign. Templates are ``string.Template``s.

1. A name that the part does not fill in is refused. So is ``$x^2$``, which reads as the name x: write ``$$x^2$$``.
2. A template that does not show what it is about is refused: all answers, say, would be judged alike.

A dollar sign that no letter follows, as in ``$5`` and ``$\frac``, stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import ClassVar

from pydantic import BaseModel, field_validator

from branchwise.orchestrator.core.errors import ConfigError
from branchwise.orchestrator.core.suggesting import suggestion


@dataclass(frozen=True, slots=True)
class Placeholders:
    """The names that a template has to show, and others that it may."""

    needed: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.needed, *self.others)

    def checked(self, template: str) -> str:
        """The template as it is. ConfigError where it has an unknown name, or lacks one that is needed."""
        shown, known = names_in(template), [f"${name}" for name in self.known]
        for name in shown:
            if name not in self.known:
                remedy = "for a dollar sign write $$"
                raise ConfigError(f"nothing fills in '${name}'{suggestion(f'${name}', known)}; {remedy}")
        missing = [f"${name}" for name in self.needed if name not in shown]
        if missing:
            raise ConfigError(f"the template lacks {' and '.join(missing)} (it may have: {', '.join(known)})")
        return template


class Templated(BaseModel):
    """Options whose ``prompt`` is a template, with the names that these have; None is the shipped one."""

    placeholders: ClassVar[Placeholders]

    @field_validator("prompt", check_fields=False)
    @classmethod
    def _complete(cls, prompt: str | None) -> str | None:
        return prompt if prompt is None else cls.placeholders.checked(prompt)


def names_in(template: str) -> list[str]:
    """The names of a template's places, each once."""
    return Template(template).get_identifiers()
