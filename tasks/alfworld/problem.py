"""A room and a goal as a PDDL problem of ALFWorld's domain.

Identifiers are ``TYPE_bar_NUMBER``: the engine names a thing by what stands before the first ``_bar_``. Types that
the domain's actions name must be declared even where the room has none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

OPENABLE: Final = frozenset({"Cabinet", "Drawer", "Fridge", "Microwave"})
LIT: Final = frozenset({"DeskLamp"})
TREATMENTS: Final = {"clean": "isClean", "heat": "isHot", "cool": "isCool"}
RECEPTACLE_TYPES: Final = ("SinkBasin", "Microwave", "Fridge")
OBJECT_TYPES: Final = ("Knife", "ButterKnife")
START: Final = "loc_bar_0"


@dataclass(frozen=True, slots=True)
class Thing:
    """A receptacle or an object."""

    type: str
    number: int

    @property
    def id(self) -> str:
        """Its identifier; a basin is known by the end of its own."""
        kind, basin, _ = self.type.partition("Basin")
        return f"{kind}_bar_{self.number:02d}" + (f"_bar_{self.type}" if basin else "")


def pddl(
    receptacles: Sequence[Thing],
    objects: Sequence[tuple[Thing, Thing]],
    handled: str,
    target: str,
    treatment: str,
    wanted: int,
) -> str:
    """The problem: ``wanted`` things of type ``handled``, treated, into a ``target``; or looked at in the light."""
    places = {receptacle: f"loc_bar_{number}" for number, receptacle in enumerate(receptacles, 1)}
    rtypes = sorted({*RECEPTACLE_TYPES, *(one.type for one in receptacles)})
    otypes = sorted({*OBJECT_TYPES, *(one.type for one, _ in objects)})
    declared = [
        "agent1 - agent",
        *(f"{place} - location" for place in (START, *places.values())),
        *(f"{one.id} - receptacle" for one in receptacles),
        *(f"{one.id} - object" for one, _ in objects),
        *(f"{name}Type - rtype" for name in rtypes),
        *(f"{name}Type - otype" for name in otypes),
    ]
    facts = [
        f"(atLocation agent1 {START})",
        *(fact for one, place in places.items() for fact in _receptacle(one, place)),
        *(fact for one, at in objects for fact in _object(one, at, places[at])),
        *(f"(canContain {rtype}Type {otype}Type)" for rtype in rtypes for otype in otypes),
    ]
    goal = _looked_at(handled) if treatment == "light" else _placed(handled, target, treatment, wanted)
    return (
        "(define (problem made_up)\n(:domain alfred)\n"
        f"(:objects\n{_lines(declared)})\n(:init\n{_lines(facts)})\n(:goal {goal})\n)\n"
    )


def _receptacle(one: Thing, place: str) -> Iterable[str]:
    yield f"(receptacleType {one.id} {one.type}Type)"
    yield f"(receptacleAtLocation {one.id} {place})"
    if one.type in OPENABLE:
        yield f"(openable {one.id})"


def _object(one: Thing, at: Thing, place: str) -> Iterable[str]:
    yield f"(objectType {one.id} {one.type}Type)"
    yield f"(inReceptacle {one.id} {at.id})"
    yield f"(objectAtLocation {one.id} {place})"
    if one.type in LIT:
        yield f"(toggleable {one.id})"
        return
    for able in ("pickupable", "cleanable", "heatable", "coolable"):
        yield f"({able} {one.id})"


def _placed(handled: str, target: str, treatment: str, wanted: int) -> str:
    names = [f"?o{number}" for number in range(wanted)]
    conditions = [f"(receptacleType ?r {target}Type)"]
    for name in names:
        conditions += [f"(objectType {name} {handled}Type)", f"(inReceptacle {name} ?r)"]
        conditions += [f"({TREATMENTS[treatment]} {name})"] if treatment else []
    conditions += ["(not (= ?o0 ?o1))"] if wanted == 2 else []
    return f"(exists (?r - receptacle {' '.join(f'{name} - object' for name in names)}) (and {' '.join(conditions)}))"


def _looked_at(handled: str) -> str:
    lit = "(toggleable ?t) (isToggled ?t) (inReceptacle ?t ?r) (receptacleAtLocation ?r ?l) (atLocation ?a ?l)"
    things = "?t - object ?o - object ?r - receptacle ?a - agent ?l - location"
    return f"(exists ({things}) (and {lit} (objectType ?o {handled}Type) (holds ?a ?o)))"


def _lines(parts: Iterable[str]) -> str:
    return "".join(f"  {part}\n" for part in parts)
