"""By difficulty: a cheap first pass tells how hard a problem looks, and that decides what is spent on it.

1. First pass: draw ``first_pass`` whole answers.
2. Say how easy the problem looks (difficulty.py). It goes into the first bin whose ``up_to`` that does not exceed:
   bins are listed from hard to easy. Where nothing can be said the problem is hard. No key is looked at.
3. Second pass: run the bin's algorithm on the same problem. Where it wants whole answers of the problem, it is given
   those of the first pass before any is drawn: best-of-16 after a first pass of 4 pays for 12.
4. The answer is selected among all that both passes finished.

A bin may mix two algorithms: the second one solves a ``share`` of its problems, chosen by chance. That is what spends
a budget to the end, where the better algorithm is too dear for all of them.

Thresholds and algorithms are fitted to problems set apart for it: `branchwise allocate`, evaluation/allocation.py.

Compute-optimal scaling, Snell et al., arXiv 2408.03314, section 3; there with five quantiles as bins.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Generic, Literal, Self

from pydantic import Field, model_validator

from branchwise.orchestrator.core.expansion import Candidate, Expansion, Outcome
from branchwise.orchestrator.core.inspection import Statistics, statistics_of
from branchwise.orchestrator.core.options import Options as _Options
from branchwise.orchestrator.core.options import module_of
from branchwise.orchestrator.core.roles import Search
from branchwise.orchestrator.core.saving import restore, save
from branchwise.orchestrator.core.trajectory import Trajectory
from branchwise.orchestrator.search import best_of_n
from branchwise.orchestrator.search.bins import A, Bin, check, chosen
from branchwise.orchestrator.search.difficulty import By, ease


class Options(_Options, Generic[A]):
    """Options of allocation by difficulty."""

    kind: Literal["by_difficulty"] = "by_difficulty"
    first_pass: int = Field(4, gt=0, description="Whole answers drawn of every problem, which tell its difficulty.")
    batch: int = Field(1, gt=0, description="Draws a ticket in the first pass, as for best_of_n.")
    by: By = Field("value", description="What tells: the mean value, or the share of the leading answer.")
    bins: list[Bin[A]] = Field(min_length=1, description="From hard to easy; every problem goes into one.")
    adaptive: ClassVar[bool] = True

    @model_validator(mode="after")
    def _fit(self) -> Self:
        check([each.up_to for each in self.bins])
        if self.by == "agreement" and self.first_pass < 2:
            raise ValueError("a single answer agrees with nobody: by: agreement wants a first_pass of 2 or more")
        return self

    @property
    def algorithms(self) -> list[A]:
        """Every algorithm that a problem may get."""
        return [algorithm for each in self.bins for algorithm in each.algorithms]

    @property
    def wants_reward(self) -> bool:
        """True where values tell the difficulty, or steer one of the algorithms."""
        return self.by == "value" or any(getattr(each, "wants_reward", False) for each in self.algorithms)

    @property
    def stepwise(self) -> bool:
        """True where one of the algorithms wants single steps."""
        return any(getattr(each, "stepwise", False) for each in self.algorithms)

    @property
    def depth(self) -> int:
        """The most steps that one of them draws below each other."""
        return max(getattr(each, "depth", 1) + getattr(each, "lookahead", 0) for each in self.algorithms)

    @property
    def policies(self) -> list[str]:
        """The policies that they name; the node's own, which makes the first pass, is the one called policy."""
        named = [name for each in self.algorithms for name in getattr(each, "policies", ())]
        return list(dict.fromkeys(["policy", *named])) if named else []


@dataclass(slots=True)
class Task:
    """What a ticket is for: a ticket of the pass under way, which is given these earlier draws besides its own."""

    ticket: int
    given: list[Candidate] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """Everything that changes. ``pass_under_way`` is the saved state of the search that makes it."""

    tickets: int = 0
    root_draws: int = 0
    out: dict[int, Task] = field(default_factory=dict)
    ready: Expansion | None = None
    first_pass: list[Candidate] = field(default_factory=list)
    given: int = 0
    is_second: bool = False
    pass_under_way: str = ""


class ByDifficulty:
    """The search over one problem: a first pass, then the search that its outcome calls for."""

    def __init__(self, options: Options[_Options], root: Trajectory, seed: int) -> None:
        self._options, self._root, self._seed = options, root, seed
        self._state = State()
        self._pass = self._first_pass()

    @property
    def state(self) -> State:
        """All that changes, that of the pass under way included."""
        return replace(self._state, pass_under_way=save(self._pass))

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
        self._pass = self._second_pass() if state.is_second else self._first_pass()
        restore(self._pass, state.pass_under_way)

    @property
    def finished(self) -> bool:
        """True when the second pass is."""
        return self._state.is_second and self._pass.finished

    def ask(self, room: int) -> list[Expansion]:
        """What the pass under way wants and is not there yet."""
        asked = list[Expansion]()
        while len(asked) < room and not self.finished and (wanted := self._take()) is not None:
            asked.append(wanted)
        return asked

    def tell(self, outcome: Outcome) -> None:
        """Hand the draws on to the pass that wanted them; after the first, begin the second."""
        state, task = self._state, self._state.out.pop(outcome.ticket)
        if not state.is_second:
            state.first_pass += outcome.candidates
        self._pass.tell(replace(outcome, ticket=task.ticket, candidates=(*task.given, *outcome.candidates)))
        if not state.is_second and self._pass.finished:
            state.is_second = True
            self._pass = self._second_pass()
        if state.is_second and state.ready is None:  # what the first pass is enough for has to be seen to be finished
            state.ready = self._next()

    def candidates(self) -> list[Candidate]:
        """The finished answers of both passes, in the order told."""
        first = [candidate for candidate in self._state.first_pass if candidate.done]
        known = {candidate.trajectory.lineage for candidate in first}
        return first + [each for each in self._pass.candidates() if each.trajectory.lineage not in known]

    def statistics(self) -> Statistics:
        """What the pass under way knows of its nodes, if it says."""
        return statistics_of(self._pass)

    def _first_pass(self) -> Search:
        options = best_of_n.Options(n=self._options.first_pass, batch=self._options.batch)
        return best_of_n.build(options, self._root, self._seed)

    def _second_pass(self) -> Search:
        looks = ease(self._state.first_pass, self._options.by)
        algorithm = chosen(self._options.bins, looks, self._seed)
        search: Search = module_of(algorithm).build(algorithm, self._root, self._seed)
        return search

    def _take(self) -> Expansion | None:
        ready, self._state.ready = self._state.ready, None
        return ready or self._next()

    def _next(self) -> Expansion | None:
        """The next ticket. Whatever wants nothing but draws that are there is told at once."""
        while not self._pass.finished and (wanted := self._pass.ask(1)):
            given = self._earlier(wanted[0])
            if len(given) < wanted[0].count:
                return self._ticket(wanted[0], given)
            self._pass.tell(Outcome(wanted[0].ticket, tuple(given)))
        return None

    def _earlier(self, wanted: Expansion) -> list[Candidate]:
        """Draws of the first pass that were not given to the second yet and are what it wants."""
        state, plain = self._state, Expansion(wanted.ticket, self._root, wanted.count, wanted.first, to_end=True)
        if not state.is_second or wanted != plain:
            return []
        given = state.first_pass[state.given : state.given + wanted.count]
        state.given += len(given)
        return given

    def _ticket(self, wanted: Expansion, given: list[Candidate]) -> Expansion:
        """A ticket for what is missing; children of the root are numbered on over both passes."""
        state, ticket = self._state, self._state.tickets
        first, count = wanted.first, wanted.count - len(given)
        if wanted.parent.lineage == self._root.lineage:
            first, state.root_draws = state.root_draws, state.root_draws + count
        state.out[ticket] = Task(wanted.ticket, given)
        state.tickets += 1
        return replace(wanted, ticket=ticket, count=count, first=first)


def most_draws(options: Options[_Options]) -> int | None:
    """Draws of the policy that one problem takes at most; None where one of the algorithms does not say."""
    declared = [_most_draws(options, algorithm) for algorithm in options.algorithms]
    known = [count for count in declared if count is not None]
    return max(known) if len(known) == len(declared) else None


def _most_draws(options: Options[_Options], algorithm: _Options) -> int | None:
    if isinstance(algorithm, best_of_n.Options):  # all that it wants can be given
        return max(options.first_pass, algorithm.n)
    count = getattr(module_of(algorithm), "most_draws", None)
    alone = count(algorithm) if count is not None else None
    return None if alone is None else int(options.first_pass + alone)


def build(options: Options[_Options], root: Trajectory, seed: int) -> ByDifficulty:
    """The search below ``root``."""
    return ByDifficulty(options, root, seed)
