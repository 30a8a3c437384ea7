"""Groups: the answers to one problem that are scored together, shown side by side in an order of chance.

1. What is scored in one batch is grouped by problem. Within a group each distinct text is shown once, so that equal
   answers are judged alike, and texts are sorted, so that nothing depends on how the batch was put together.
2. For each showing that order is shuffled, by a chance that is addressed by the texts themselves.
3. What was said of a text is given back to all its places in the batch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.prompting import quoted
from branchwise.orchestrator.core.seeds import chance
from branchwise.orchestrator.core.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Group:
    """Distinct answers to a problem, sorted, each with its places in the batch."""

    problem: Problem
    texts: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]

    def shuffled(self, seed: int, purpose: str, showing: int = 0) -> list[int]:
        """Which answer is shown at each place."""
        rng = chance(seed, purpose, showing, ascii((self.problem.id, self.texts)))
        return rng.sample(range(len(self.texts)), len(self.texts))


def alone(trajectory: Trajectory) -> Group:
    """The group of one answer."""
    return Group(trajectory.problem, (trajectory.text,), ((0,),))


def grouped(trajectories: Sequence[Trajectory]) -> list[Group]:
    """The groups of a batch, in the order of their first members."""
    members: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(trajectories):
        members.setdefault((each.problem.id, each.problem.text), []).append(place)
    return [_group(trajectories, places) for places in members.values()]


def in_batch(groups: Sequence[Group], judgements: Sequence[Sequence[Judgement]]) -> list[Judgement]:
    """The groups' judgements in the order of the batch."""
    known = {
        place: judgement
        for group, judged in zip(groups, judgements, strict=True)
        for places, judgement in zip(group.places, judged, strict=True)
        for place in places
    }
    return [known[place] for place in sorted(known)]


def side_by_side(heading: str, texts: Sequence[str]) -> str:
    """The texts as paragraphs, each under a numbered heading such as ``Response 1:``, that none can forge."""
    shown = [quoted(text, rf"{re.escape(heading)}\d+[^\w\n]{{0,8}}:") for text in texts]
    return "\n\n".join(f"{heading}{number}:\n{text}" for number, text in enumerate(shown, 1))


def _group(trajectories: Sequence[Trajectory], places: Sequence[int]) -> Group:
    by_text: dict[str, list[int]] = {}
    for place in places:
        by_text.setdefault(trajectories[place].text, []).append(place)
    ordered = sorted(by_text.items())
    return Group(
        trajectories[places[0]].problem,
        tuple(text for text, _ in ordered),
        tuple(tuple(same) for _, same in ordered),
    )
