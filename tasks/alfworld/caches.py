"""Caches: ALFWorld's engine works the same few grammar texts out anew at every step; done once, it is far faster.

1. What its two parsers make of a text is kept. Symbols are written into afterwards, so a caller gets copies of them.
2. What a command's template becomes is kept for each game, by the objects it is about: it depends on nothing else.
3. A grammar context's dictionaries are copied one level deep, since nobody writes into what they hold. A symbol's
   copy leaves out its context, which whoever asked for the copy sets anew.
4. The facts are listed without a Python frame for each of them.

This patches the installed package, in this process only, and can be undone at any time. The first game that is opened
with it is played a few steps with and without (engine.py); where anything differs, it stays off.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from itertools import chain
from typing import Any, Final

KEPT: Final = 65_536
_MISSING: Final = object()
_replaced: list[tuple[Any, str, Any]] = []


def switch(on: bool) -> None:
    """Patch the engine, or undo it; nothing if it is so already."""
    if on and not _replaced:
        for target, name, value in _patches():
            _replaced.append((target, name, vars(target).get(name, _MISSING)))
            setattr(target, name, value)
    while _replaced and not on:
        target, name, value = _replaced.pop()
        delattr(target, name) if value is _MISSING else setattr(target, name, value)


@lru_cache(1)
def _patches() -> list[tuple[Any, str, Any]]:
    from textworld.envs.pddl import logic, textgen
    from textworld.logic import Rule

    parse, derive = lru_cache(KEPT)(textgen._parse_and_convert), textgen.ContextSensitiveGrammar.derive

    def parsed(text: str, **options: Any) -> list[Any]:
        return copy.deepcopy(parse(text, **options))

    def derived(grammar: Any, start: str, context: dict[str, Any]) -> str:
        if start.startswith("#"):  # what is told depends on the state
            return str(derive(grammar, start, context))
        known = vars(grammar).setdefault("_derived", {})
        about = (start, *context["mapping"].values())
        if about not in known:
            known[about] = derive(grammar, start, context)
        return str(known[about])

    return [
        (textgen, "_parse_and_convert", parsed),
        (textgen, "copy_context", _copied),
        (textgen.Symbol, "__deepcopy__", _without_context),
        (textgen.ContextSensitiveGrammar, "derive", derived),
        (Rule, "parse_conjunctive_query", staticmethod(lru_cache(KEPT)(Rule.parse_conjunctive_query))),
        (logic.PddlState, "facts", property(lambda state: chain.from_iterable(state._facts.values()))),
    ]


def _copied(context: dict[str, Any]) -> dict[str, Any]:
    return {**context, "variables": dict(context["variables"]), "mapping": dict(context["mapping"])}


def _without_context(symbol: Any, memo: dict[int, Any]) -> Any:
    """The symbol, and one inside it, without their contexts."""
    twin = copy.copy(symbol)
    twin.context = {}
    for name in ("symbol", "expression"):
        inner = getattr(twin, name, None)
        if hasattr(inner, "context"):
            setattr(twin, name, copy.deepcopy(inner, memo))
    return twin
