"""Rankings: scores and an order of named answers, read from a model's JSON, and how far two of them agree.

1. ``scores`` holds a whole number from 1 to 5 by name. A name without such a number has no score; the others keep
   theirs.
2. ``best-to-worst`` is an order of the names. It counts only where it names each of them once.
3. ``agreement`` with the truth: a pair of answers that the truth tells apart weighs 1 + |difference|. Its weight is
   lost where the pair is the wrong way round, half of it where it is a tie. The agreement is what is not lost.

Yu et al. 2025, "RewardAnything", arXiv 2506.03637.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from branchwise.orchestrator.rewards.json_text import object_in, whole_number

LOWEST: Final = 1
HIGHEST: Final = 5


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores by name, of those that have one, and the names from best to worst, if that can be read."""

    scores: Mapping[str, int]
    order: tuple[str, ...] = ()


NO_RANKING: Final = Ranking({})


def ranking_in(text: str, names: Sequence[str]) -> Ranking:
    """What a text says of the answers of these names; nothing where it can't be read."""
    found = object_in(text, "scores")
    written, order = found.get("scores"), found.get("best-to-worst")
    scores = written if isinstance(written, dict) else {}
    known = {name: whole_number(scores.get(name), LOWEST, HIGHEST) for name in names}
    complete = isinstance(order, list) and sorted(map(str, order)) == sorted(names)
    return Ranking(
        {name: score for name, score in known.items() if score is not None},
        tuple(map(str, order)) if complete and isinstance(order, list) else (),
    )


def agreement(truth: Mapping[str, float], predicted: Mapping[str, float]) -> float:
    """How far predicted scores order the names as the true ones do, in [0, 1]; 1 where nothing can be compared."""
    names = [name for name in truth if name in predicted]
    lost = whole = 0.0
    for one, other in combinations(names, 2):
        true, said = truth[one] - truth[other], predicted[one] - predicted[other]
        if true:
            weight = 1 + abs(true)
            whole += weight
            lost += weight if true * said < 0 else weight / 2 if said == 0 else 0.0
    return 1 - lost / whole if whole else 1.0


def by_order(order: Sequence[str]) -> dict[str, float]:
    """An order from best to worst as scores: as many points as there are answers behind."""
    return {name: float(len(order) - place) for place, name in enumerate(order, 1)}
