"""Growing: which broods are wanted, out and complete; with ``lookahead``, each child is judged by where it leads.

A brood is the children of one parent that are grown together: what every step-wise search asks for and is told.

1. ``start`` or ``go_on`` wants a brood; ``ask`` gives out its ticket when there is room.
2. ``tell`` takes in its children. Without lookahead the brood is complete.
3. With lookahead each child that goes on is continued ``lookahead`` steps at temperature 0, fewer if the answer
   ends before. The child keeps its own text and takes over the judgement of the longest text that has one.
4. The brood is complete when all of its children's futures are known; futures do not wait for each other.

A child's future is its child number 0, so whoever goes on from it counts from 1. Every step of a future is
judged, since each may be the last: a step is still drawn and judged once, 1 + lookahead times as many in all.

Lookahead: Snell et al., arXiv 2408.03314, section 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.trajectory import StopReason, Trajectory


@dataclass(slots=True)
class Brood:
    """The children of one parent, and how many of their futures are still unknown."""

    number: int
    parent: Candidate
    to_end: bool = False
    children: list[Candidate] = field(default_factory=list)
    futures: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What a ticket is for: a whole brood, or the next step (of ``ahead`` that are left) in a child's future."""

    brood: int
    parent: Trajectory
    count: int = 1
    first: int = 0
    child: int | None = None
    ahead: int = 0


@dataclass(slots=True)
class Growth:
    """What is wanted, what is out, and the broods that are not complete. Part of a search's state."""

    lookahead: int = 0
    tickets: int = 0
    wanted: int = 0
    broods: dict[int, Brood] = field(default_factory=dict)
    waiting: list[Task] = field(default_factory=list)
    out: dict[int, Task] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """True where nothing is wanted or out."""
        return not self.waiting and not self.out

    def start(self, root: Trajectory, count: int, first: int = 0, to_end: bool = False) -> None:
        """Want the root's children ``first`` to ``first + count - 1``."""
        self._want(Candidate(root), count, first, to_end)

    def go_on(self, parent: Candidate, count: int, to_end: bool = False) -> None:
        """Want the children of a child."""
        self._want(parent, count, min(1, self.lookahead), to_end)

    def ask(self, room: int) -> list[Expansion]:
        """What is wanted, in the order in which it became so."""
        asked = [self._ticket(task) for task in self.waiting[:room]]
        del self.waiting[:room]
        return asked

    def tell(self, outcome: Outcome) -> Brood | None:
        """Take in what was grown; the brood that became complete by it."""
        task = self.out.pop(outcome.ticket)
        brood = self.broods[task.brood]
        if task.child is None:
            brood.children = list(map(_cut_off, outcome.candidates) if brood.to_end else outcome.candidates)
            self._look_ahead(brood)
        else:
            self._step_ahead(brood, task, task.child, outcome.candidates)
        return None if brood.futures else self.broods.pop(task.brood)

    def _want(self, parent: Candidate, count: int, first: int, to_end: bool) -> None:
        self.broods[self.wanted] = Brood(self.wanted, parent, to_end)
        self.waiting.append(Task(self.wanted, parent.trajectory, count, first))
        self.wanted += 1

    def _ticket(self, task: Task) -> Expansion:
        ticket, self.tickets = self.tickets, self.tickets + 1
        self.out[ticket] = task
        to_end = task.child is None and self.broods[task.brood].to_end
        return Expansion(ticket, task.parent, task.count, task.first, to_end, 0.0 if task.ahead else None)

    def _look_ahead(self, brood: Brood) -> None:
        for k, child in enumerate(brood.children):
            if child.alive and self.lookahead:
                self.waiting.append(Task(brood.number, child.trajectory, child=k, ahead=self.lookahead))
                brood.futures += 1

    def _step_ahead(self, brood: Brood, task: Task, k: int, reached: tuple[Candidate, ...]) -> None:
        for future in reached:
            if future.value is not None:
                brood.children[k] = replace(brood.children[k], judgement=_seen_from(brood.children[k], future))
            if future.alive and task.ahead > 1:
                self.waiting.append(replace(task, parent=future.trajectory, ahead=task.ahead - 1))
                return
        brood.futures -= 1


def _cut_off(child: Candidate) -> Candidate:
    """What was drawn to the end and still goes on has reached the last depth."""
    return replace(child, trajectory=replace(child.trajectory, stop=StopReason.MAX_DEPTH)) if child.alive else child


def _seen_from(child: Candidate, future: Candidate) -> Judgement | None:
    """The judgement of a child's future, as the child's own: of its own steps only."""
    if future.judgement is None:
        return None
    return replace(future.judgement, step_values=future.judgement.step_values[: len(child.trajectory.steps)])
