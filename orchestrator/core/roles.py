"""The roles that parts play, as Protocols of few methods. Anything with these methods may stand in.

A file in the folder of its role (see plugins.py) or an entry point supplies one; the law tests in tests/laws
hold every one of them to the semantics written here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from branchwise.orchestrator.core.errors import Failure
from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement, Source
from branchwise.orchestrator.core.problem import Problem
from branchwise.orchestrator.core.request import Capabilities, Draw, Identity, Progress, Request
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.core.usage import Usage
from branchwise.orchestrator.core.world import Observation, World


class Search(Protocol):
    """A search algorithm: synchronous, pure, no I/O, no clock. It learns only from what it is told.

    ``ask`` returns at most ``room`` expansions with tickets that count up from 0; every ticket is told once or
    cancelled (when ``finished``). ``candidates`` are the finished trajectories in the order they were told.
    ``state``, a dataclass, holds all that changes, so that core.saving can save and restore it in mid-run.
    """

    state: Any

    @property
    def finished(self) -> bool: ...
    def ask(self, room: int) -> list[Expansion]: ...
    def tell(self, outcome: Outcome) -> None: ...
    def candidates(self) -> list[Candidate]: ...


class Recommending(Search, Protocol):
    """A search that says itself which candidate it would answer with: its Options' ``own_select`` is recommended."""

    def recommended(self) -> Candidate | None: ...


class Backend(Protocol):
    """A way to reach a model. ``generate`` returns exactly ``request.n`` draws or raises BackendError.

    However it ends, ``progress.usage`` then holds what is known of what it used, and is not ``exact`` where that may
    not be all: what streams underneath knows more. Cancelling the awaiting task stops the model. Wrappers have the
    same face.
    """

    @property
    def identity(self) -> Identity: ...
    @property
    def capabilities(self) -> Capabilities: ...
    async def generate(self, request: Request, progress: Progress | None = None) -> tuple[Draw, ...]: ...
    def count_prompt(self, request: Request) -> tuple[int, bool]:
        """Prompt tokens of a request, and whether that is exact (else an estimate from above)."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class View:
    """What an agent sees: the trajectory so far, the draft and the review in a refinement loop.

    ``seed`` is the draw's own; ``to_end`` wants a whole answer, else one step. ``count`` draws are wanted, number k
    with seed + k; the first of them is child ``first`` of its parent. In a world, ``opening`` is what it showed at
    the start (what it showed since is in the trajectory's steps), ``actions`` are those admissible now, if it lists
    them.
    """

    trajectory: Trajectory
    seed: int
    count: int = 1
    to_end: bool = True
    temperature: float | None = None
    draft: str | None = None
    feedback: str | None = None
    first: int = 0
    opening: str = ""
    actions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent said: the new steps and why it ended (None: more steps may follow).

    ``route`` is what a judge of drafts decided, one of its kind's ROUTES; empty for those who write drafts. Where
    the steps were carried out in a world, ``key`` names the state that was reached; ``failure`` says that it broke.
    """

    steps: tuple[Step, ...]
    stop: StopReason | None
    route: str = ""
    key: str | None = None
    failure: Failure | None = None

    @property
    def text(self) -> str:
        """The steps joined."""
        return "".join(step.text for step in self.steps)


class Agent(Protocol):
    """A model with a prompt and a parser. ``reply`` returns ``view.count`` replies, in sibling order."""

    async def reply(self, view: View) -> list[Reply]: ...
    def bound(self, view: View) -> Usage:
        """The most that ``reply`` can use, without retries."""
        ...


class RewardModel(Protocol):
    """Scores trajectories. Same length, same order; batch is the only form; empty in, empty out.

    A failed judgement is returned as a failure, never raised for the whole batch and never a number.
    """

    @property
    def source(self) -> Source: ...
    async def score(self, trajectories: Sequence[Trajectory]) -> list[Judgement]: ...
    def bound(self, trajectory: Trajectory, max_new_tokens: int, max_new_steps: int | None = None) -> Usage:
        """The most that scoring one child of ``trajectory`` can use; None: as many steps as tokens allow."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Two finished candidates for the same problem."""

    first: Candidate
    second: Candidate


class PairJudge(Protocol):
    """Says how likely the first of two candidates is the better one: a judgement on the probability scale.

    Same length, same order; a comparison that can't be made is a failure, never raised for the whole batch.
    """

    @property
    def source(self) -> Source: ...
    async def compare(self, pairs: Sequence[Pair]) -> list[Judgement]: ...
    def bound(self, pair: Pair, more_tokens: int = 0) -> Usage:
        """The most that comparing this pair can use, without retries, if its texts get longer by so many tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Grade:
    """The task's verdict on a final answer: correct in [0, 1], or ungraded (None) where there is no key.

    ``failure`` says that there is a key, and why the answer could not be held against it. ``canonical`` is the key's
    form where it is another one than core.answers gives it.
    """

    correct: float | None
    expected: str | None = None
    failure: Failure | None = None
    canonical: str | None = None


Answering = Callable[[Trajectory], Answer | Awaitable[Answer | None] | None]
"""How the answer of a trajectory is read: ``Task.answer``."""


class Task(Protocol):
    """A batch of problems and the keys to grade them with. The key never leaves the task.

    Where reading or grading an answer takes time (another process works a formula out), ``answer`` and ``grade`` are
    coroutines: they are awaited, and the other problems go on meanwhile.
    A task that is read from a file has ``content_sha256``, too: a run of it is not resumed with another content.
    """

    @property
    def name(self) -> str: ...
    def problems(self) -> Iterator[Problem]: ...
    def answer(self, trajectory: Trajectory) -> Answer | Awaitable[Answer | None] | None:
        """The final answer that a trajectory states, if it states one. Sees public data only."""
        ...

    def grade(self, problem_id: str, answer: str | None) -> Grade | Awaitable[Grade]: ...


class Environment(Protocol):
    """One episode in a task's world: started once, stepped, closed; never reset. Making one opens nothing.

    Calls come one at a time. A call may be cancelled; whether it then happened is unknown, and only ``restore`` or
    ``aclose`` follow. Whatever the world can't do raises EnvironmentFailure; an action that makes no sense does not:
    it is answered by an observation that says so.
    """

    async def start(self) -> Observation: ...
    async def step(self, action: str) -> Observation: ...
    async def aclose(self) -> None: ...


class Restorable(Environment, Protocol):
    """An environment of a world that declares ``snapshots``. A snapshot belongs to the instance that made it."""

    async def snapshot(self) -> object: ...
    async def restore(self, snapshot: object) -> None: ...


class WorldTask(Task, Protocol):
    """A task whose problems are acted out in a world."""

    @property
    def world(self) -> World: ...
    def environment(self, problem: Problem) -> Environment:
        """A new environment for one episode of this problem."""
        ...
