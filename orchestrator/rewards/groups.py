"""Groups: the answers to one problem that are scored together, shown side by side in an order of chance.

1. What is scored in one batch is grouped by problem. Within a group, answers are ordered by their text, so that
   nothing depends on how the batch was put together.
2. For each showing that order is shuffled, by a chance that is addressed by the texts themselves.
3. What was said of the answers is given back in the order of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Group:
    """Answers to a problem, with their places in the batch."""

    problem: Problem
    texts: tuple[str, ...]
    places: tuple[int, ...]

    def shuffled(self, seed: int, purpose: str, showing: int = 0) -> list[int]:
        """Which answer is shown at each place."""
        rng = chance(seed, purpose, showing, ascii((self.problem.id, self.texts)))
        return rng.sample(range(len(self.texts)), len(self.texts))


def grouped(trajectories: Sequence[Trajectory]) -> list[Group]:
    """The groups of a batch, in the order of their first members."""
    members: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(trajectories):
        members.setdefault((each.problem.id, each.problem.text), []).append(place)
    return [_group(trajectories, places) for places in members.values()]


def in_batch(groups: Sequence[Group], judgements: Sequence[Sequence[Judgement]]) -> list[Judgement]:
    """The groups' judgements in the order of the batch."""
    known: dict[int, Judgement] = {}
    for group, judged in zip(groups, judgements, strict=True):
        known.update(zip(group.places, judged, strict=True))
    return [known[place] for place in sorted(known)]


def side_by_side(heading: str, texts: Sequence[str]) -> str:
    """The texts as paragraphs, each under a numbered heading such as ``Response 1:``."""
    return "\n\n".join(f"{heading}{number}:\n{text}" for number, text in enumerate(texts, 1))


def _group(trajectories: Sequence[Trajectory], places: Sequence[int]) -> Group:
    ordered = sorted(places, key=lambda place: trajectories[place].text)
    problem, texts = trajectories[places[0]].problem, tuple(trajectories[place].text for place in ordered)
    return Group(problem, texts, tuple(ordered))
