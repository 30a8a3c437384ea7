"""What can be reached from given numbers, by exhaustive search: exact, and quick enough for every step of a search.

1. The values of a set of numbers are all that an expression over exactly these numbers can have. They are made of
   the values of its two halves, over all ways to halve it: a number each for a set of one.
2. A target is reachable if it is a value of some subset, since numbers may be left over. The smallest such subset
   says how many steps are needed: one less than it has numbers.

All results of an expression on the way are whole and positive, as the rules want them.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final

from branchwise.tasks.countdown.rules import OPERATORS, Move, Numbers

_MAX_SETS: Final = 1024
_MAX_STATES: Final = 65_536


def reachable(numbers: Sequence[int], target: int) -> bool:
    """Whether some moves lead from these numbers to the target; True where it is among them."""
    return steps_needed(numbers, target) is not None


def steps_needed(numbers: Sequence[int], target: int) -> int | None:
    """The fewest moves from these numbers to the target; None if it can't be reached."""
    return next((steps for steps in range(len(numbers)) if reachable_with(numbers, steps + 1, target)), None)


def reachable_with(numbers: Sequence[int], size: int, target: int) -> bool:
    """Whether the target is a value of exactly `size` of these numbers."""
    return _reachable_with(tuple(sorted(numbers)), size, target)


@lru_cache(_MAX_STATES)
def _reachable_with(numbers: Numbers, size: int, target: int) -> bool:
    return any(_makes(subset, target) for subset in sorted(set(combinations(numbers, size))))


def _makes(numbers: Numbers, target: int) -> bool:
    """Whether the target is among the values of all these numbers; the values themselves are not made."""
    if len(numbers) == 1:
        return numbers[0] == target
    return any(_combine(values(many), one, target) for few, many in _halves(numbers) for one in values(few))


def _combine(many: frozenset[int], one: int, target: int) -> bool:
    """Whether `one` and some member of `many` give the target."""
    return (
        target - one in many
        or target + one in many
        or one - target in many
        or target * one in many
        or (target % one == 0 and target // one in many)
        or (one % target == 0 and one // target in many)
    )


@lru_cache(_MAX_SETS)
def values(numbers: Numbers) -> frozenset[int]:
    """Every value of an expression that uses each of these numbers (in rising order) exactly once."""
    if len(numbers) == 1:
        return frozenset(numbers)
    return frozenset(
        result
        for few, many in _halves(numbers)
        for one in values(few)
        for other in values(many)
        for operator in OPERATORS
        if (result := Move(max(one, other), operator, min(one, other)).result) is not None
    )


def _halves(numbers: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Every way to cut the numbers in two, the smaller part first."""
    places = range(len(numbers))
    seen = set()
    for size in range(1, len(numbers) // 2 + 1):
        for chosen in combinations(places, size):
            few = tuple(numbers[place] for place in chosen)
            if few not in seen:
                seen.add(few)
                yield few, tuple(numbers[place] for place in places if place not in chosen)
