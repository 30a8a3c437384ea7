"""The works of ``search_floor.py``: searches over problems without a sense, one request a draw and one a score.

The same is done by Branchwise (``solved``) and by the bare client (``floor``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchwise.orchestrator.api import solve_batch
from branchwise.orchestrator.core.decisions import Asked, Decision, Told
from branchwise.orchestrator.core.expansion import Candidate
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.result import Result
from tests.benchmarks.floor_client import Child, Floor

POLICY = {"kind": "solver", "model": "m", "prompt": "$problem: ", "style": "completion", "final": "never"}
REWARD = {"kind": "label_token", "model": "m", "good": "Yes", "bad": "No", "reducer": "last", "every_step": False,
          "alternatives": 2}  # fmt: skip
MODEL = {"kind": "openai", "model": "m", "capabilities": {"logprobs": True, "knows_stop": True}, "keeps_stop": True}
SIGMA = 0.8
EXPANSIONS = 32


@dataclass(frozen=True)
class Work:
    """A search on so many problems. ``limits``: calls in flight, 0 for no limit; ``sigma``: of the latencies."""

    name: str
    algorithm: dict[str, Any]
    problems: int
    commit: str = "ticket"
    limits: tuple[int, ...] = (32, 0)
    sigma: float = 0.0

    @property
    def leaves(self) -> int:
        """Leaves under way in one tree; 0 where it is none."""
        return int(self.algorithm.get("in_flight", 0))

    def names(self, pair: int) -> list[str]:
        """The problems of one pair: others in each, so that with stragglers each has other latencies."""
        return [f"problem-{pair}-{number}" for number in range(self.problems)]


def mcts(leaves: int, commit: str, sigma: float = 0.0) -> Work:
    """MCTS of 32 expansions a problem: eight first steps, and answers below them."""
    algorithm = {"kind": "mcts", "iterations": EXPANSIONS, "children": 8, "batch": 1, "depth": 2, "in_flight": leaves}
    name = f"mcts {EXPANSIONS} x 10, {leaves} {'leaf' if leaves == 1 else 'leaves'}, {commit}"
    return Work(name + (", stragglers" if sigma else ""), algorithm, 10, commit, (0,), sigma)


BEST_OF_8 = Work("best-of-8 x 40", {"kind": "best_of_n", "n": 8}, 40)
ALL = [
    BEST_OF_8,
    Work("beam 4x4x6 x 20", {"kind": "beam", "width": 4, "expansions": 4, "depth": 6}, 20),
    *(mcts(leaves, commit) for leaves in (1, 4, 8) for commit in ("ticket", "arrival")),
    Work("best-of-8 x 40, stragglers", BEST_OF_8.algorithm, 40, limits=(32, 0), sigma=SIGMA),
    *(mcts(leaves, commit, SIGMA) for leaves in (4, 8) for commit in ("ticket", "arrival")),
]
WORKS = {work.name: work for work in ALL}


async def solved(
    work: Work, names: Sequence[str], url: str, limit: int, out: Path | None = None, **model_options: object
) -> list[Result]:
    """The results by Branchwise, journal on disk where ``out`` says so."""
    search = {
        "kind": "search",
        "algorithm": work.algorithm,
        "policy": POLICY,
        "reward": REWARD,
        "commit": work.commit,
    }
    if not work.leaves:
        search["select"] = "naive"
    model = MODEL | {"url": url, "max_in_flight": limit, "retries": 8} | model_options
    flow = {"models": {"m": model}, "nodes": {"search": search}}
    return await solve_batch([problem(name, name) for name in names], flow, concurrency=len(names), out=out)


def floor(work: Work, client: Floor, names: Sequence[str], results: Sequence[Result]) -> Iterator[Awaitable[str]]:
    """The same by the bare client, a problem each; a tree's calls are those that the search made."""
    options = {name: value for name, value in work.algorithm.items() if name != "kind"}
    for name, result in zip(names, results, strict=True):
        if work.leaves:
            yield client.chains(expanded(result), work.leaves)
        elif work.algorithm["kind"] == "beam":
            yield client.beam(name, **options)
        else:
            yield client.best_of_n(name, **options)


def expanded(result: Result) -> list[Child]:
    """The expansions of a tree in the order of their tickets; each is one draw and its score."""
    asked = [each for decision in decisions(result) if isinstance(decision, Asked) for each in decision.expansions]
    return [
        Child(result.problem_id, each.parent.lineage, each.parent.text, each.first, each.to_end)
        for each in sorted(asked, key=lambda each: each.ticket)
    ]


def kept(result: Result) -> int:
    """Expansions of a tree that were told with a value: that of a node which the tree has."""
    return sum(candidate.value is not None for candidate in told(result))


def told(result: Result) -> list[Candidate]:
    """All candidates that a search was told of."""
    outcomes = [decision.outcome for decision in decisions(result) if isinstance(decision, Told)]
    return [candidate for outcome in outcomes for candidate in outcome.candidates]


def decisions(result: Result) -> list[Decision]:
    """What the only search of a result decided."""
    assert result.record is not None
    (search,) = result.record()
    return search.decisions
