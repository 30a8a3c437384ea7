"""Games made up by a seed, so that nothing need be downloaded: small rooms, the six types of task, a way to win each.

1. The receptacles that the task needs are put into the room, then others of the room's kinds; each has a place of its
   own, and one starts in the middle of the room.
2. The things to be handled lie anywhere but where they are to end up or be treated, so nothing is won at the start;
   other things lie anywhere.
3. All of it is written as a PDDL problem of ALFWorld's domain. Everything fits everywhere, which is simpler than in
   ALFWorld's own rooms.
4. The engine numbers things of one type from the highest down in the order of their identifiers; the way to win is
   written in these names.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from branchwise.tasks.alfworld.games import Game
from branchwise.tasks.alfworld.problem import OPENABLE, Thing, pddl

MAX_RECEPTACLES: Final = 60
COOKED: Final = ("Apple", "Bread", "Egg", "Potato", "Tomato")
DISHES: Final = ("Bowl", "Cup", "Mug", "Plate")
SMALL: Final = ("Book", "CD", "CellPhone", "CreditCard", "KeyChain", "Laptop", "Pen", "Pencil", "Pillow", "Watch")
LAMP: Final = "DeskLamp"


@dataclass(frozen=True, slots=True)
class Room:
    """What stands and what lies about in a kind of room."""

    receptacles: tuple[str, ...]
    objects: tuple[str, ...]


KITCHEN: Final = Room(("Cabinet", "CounterTop", "DiningTable", "Drawer", "GarbageCan", "Shelf"), COOKED + DISHES)
BEDROOM: Final = Room(("Bed", "Drawer", "Dresser", "GarbageCan", "Shelf", "SideTable"), SMALL)


@dataclass(frozen=True, slots=True)
class Type:
    """A type of task: its room, what is handled, the receptacle that treats it, and how, and how many are wanted."""

    room: Room
    objects: tuple[str, ...]
    goal: str
    treating: str = ""
    treatment: str = ""
    wanted: int = 1


TYPES: Final = {
    "pick_and_place_simple": Type(KITCHEN, KITCHEN.objects, "put a {thing} in {target}"),
    "look_at_obj_in_light": Type(BEDROOM, SMALL, "look at {thing} under the desklamp", "Desk", "light"),
    "pick_clean_then_place_in_recep": Type(KITCHEN, DISHES, "put a clean {thing} in {target}", "SinkBasin", "clean"),
    "pick_heat_then_place_in_recep": Type(
        KITCHEN, COOKED + DISHES, "put a hot {thing} in {target}", "Microwave", "heat"
    ),
    "pick_cool_then_place_in_recep": Type(
        KITCHEN, COOKED + DISHES, "put a cool {thing} in {target}", "Fridge", "cool"
    ),
    "pick_two_obj_and_place": Type(BEDROOM, SMALL, "put two {thing} in {target}", wanted=2),
}


@dataclass(slots=True)
class _Scene:
    """A room as it is furnished, and who is where."""

    receptacles: list[Thing] = field(default_factory=list)
    objects: list[tuple[Thing, Thing]] = field(default_factory=list)

    def stands(self, type_name: str) -> Thing:
        self.receptacles.append(Thing(type_name, sum(one.type == type_name for one in self.receptacles) + 1))
        return self.receptacles[-1]

    def lies(self, type_name: str, at: Thing) -> Thing:
        thing = Thing(type_name, sum(one.type == type_name for one, _ in self.objects) + 1)
        self.objects.append((thing, at))
        return thing

    def name(self, thing: Thing) -> str:
        """What the engine calls it."""
        of_this_type = sorted(
            one.id for one in (*self.receptacles, *(one for one, _ in self.objects)) if one.type == thing.type
        )
        return f"{thing.type.lower()} {len(of_this_type) - of_this_type.index(thing.id)}"


def generated(rng: random.Random, kind: str, receptacles: int, objects: int, number: int) -> Game:
    """A game of this type with so many receptacles and objects, or what its task needs, if that is more."""
    task, scene = TYPES[kind], _Scene()
    target = scene.stands(rng.choice(task.room.receptacles))
    treating = scene.stands(task.treating) if task.treating else None
    others = [one for one in task.room.receptacles if one != target.type]
    elsewhere = [
        scene.stands(rng.choice(others)) for _ in range(max(task.wanted, receptacles - len(scene.receptacles)))
    ]
    handled = rng.choice(task.objects)
    wanted = [scene.lies(handled, at) for at in rng.sample(elsewhere, task.wanted)]
    if task.treatment == "light" and treating is not None:
        scene.lies(LAMP, treating)
    for _ in range(objects - len(scene.objects)):
        other = rng.choice([one for one in task.room.objects if one != handled])
        scene.lies(other, rng.choice(scene.receptacles))
    goal = task.goal.format(thing=handled.lower(), target=target.type.lower())
    problem = pddl(scene.receptacles, scene.objects, handled, target.type, task.treatment, task.wanted)
    return Game(f"{kind}-{number}", goal, problem, kind, tuple(_way(scene, task, wanted, target, treating)))


def _way(scene: _Scene, task: Type, wanted: list[Thing], target: Thing, treating: Thing | None) -> Iterable[str]:
    """Commands that win."""
    lying, opened, there = dict(scene.objects), set[Thing](), scene.name(target)
    for thing in wanted:
        name, at = scene.name(thing), lying[thing]
        yield from _reach(scene, at, opened)
        yield f"take {name} from {scene.name(at)}"
        if treating is not None:
            yield f"go to {scene.name(treating)}"
            lit = task.treatment == "light"
            yield "use desklamp 1" if lit else f"{task.treatment} {name} with {scene.name(treating)}"
            if lit:
                return
        yield from _reach(scene, target, opened)
        yield f"move {name} to {there}"


def _reach(scene: _Scene, receptacle: Thing, opened: set[Thing]) -> Iterable[str]:
    yield f"go to {scene.name(receptacle)}"
    if receptacle.type in OPENABLE and receptacle not in opened:
        opened.add(receptacle)
        yield f"open {scene.name(receptacle)}"
