"""What several leaves under way in one tree cost: MCTS with 1, 4, 8, 16 of them, at equal expansions, over toy trees.

Each tree has 4^6 leaves of known value; inner nodes are judged by the mean of the leaves below, with noise. All calls
take the same time, so rounds are the length of the longest chain of calls that wait for each other. Pending leaves
count in three ways: not at all, as visits alone (the default), and as visits of value 0 (virtual loss).

- root error: distance of the root's mean value from the best leaf's value, mean over the trees;
- agreement: share of the trees where the first step of greatest mean value is the first step to the best leaf;
- same step: share of the trees where it is the step that one leaf at a time comes to.

    python -m tests.benchmarks.parallel_leaves [--trees N] [--expansions N] [--plot FILE.svg] [--json]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from branchwise.orchestrator.core.expansion import Answer, Candidate, Expansion, Outcome
from branchwise.orchestrator.core.judgement import Judgement
from branchwise.orchestrator.core.problem import problem
from branchwise.orchestrator.core.trajectory import Step, StopReason, Trajectory
from branchwise.orchestrator.search.mcts import MCTS, Options, build
from tests.benchmarks.line_plot import Line, Panel, drawn

BRANCHING, DEPTH, NOISE, EXPLORATION = 4, 6, 0.1, 0.3
IN_FLIGHT = (1, 4, 8, 16)
PENDING: dict[str, dict[str, float | None]] = {
    "not at all": {"virtual_loss": 0.0},
    "visits alone": {"virtual_loss": 1.0, "virtual_value": None},
    "visits of value 0": {"virtual_loss": 1.0, "virtual_value": 0.0},
}
Place = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One way to count what is pending, with so many leaves under way: means over the trees."""

    pending: str
    in_flight: int
    root_error: float
    agreement: float
    same_step: float
    best_found: float
    rounds: float
    times_faster: float


@dataclass(frozen=True)
class Grown:
    """One tree grown: the root's value, the first step it prefers, the best answer, and how long it took."""

    root_value: float
    step: int
    found: float
    rounds: int


class Toy:
    """A tree whose leaves are sums of independent steps, scaled to [0, 1]; steps near the root weigh more."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        level: dict[Place, float] = {(): 0.0}
        levels = [level]
        for depth in range(DEPTH):
            level = {(*at, k): x + rng.gauss(0, 0.8**depth) for at, x in level.items() for k in range(BRANCHING)}
            levels.append(level)
        low, high = min(level.values()), max(level.values())
        self.best = {at: (x - low) / (high - low) for at, x in level.items()}
        self.judged = dict(self.best)
        mean = dict(self.best)
        for level in reversed(levels[:-1]):
            for at in level:
                children = [(*at, k) for k in range(BRANCHING)]
                self.best[at] = max(self.best[child] for child in children)
                mean[at] = statistics.fmean(mean[child] for child in children)
                self.judged[at] = min(1.0, max(0.0, mean[at] + rng.gauss(0, NOISE)))

    @property
    def best_step(self) -> int:
        """The first step to the best leaf."""
        return max(range(BRANCHING), key=lambda k: self.best[(k,)])

    def grow(self, expansion: Expansion) -> Outcome:
        """The next child."""
        at = (*expansion.parent.lineage, expansion.first)
        leaf = len(at) == DEPTH
        child = expansion.parent.extend((Step(f"{at[-1]}\n"),), at[-1], StopReason.ANSWERED if leaf else None)
        answer = Answer(repr(at), repr(at)) if leaf else None
        return Outcome(expansion.ticket, (Candidate(child, answer, Judgement(self.judged[at])),))


def grow(toy: Toy, expansions: int, in_flight: int, pending: dict[str, float | None]) -> Grown:
    """Search one tree; every call takes one round, and is told when it is done, in the order asked."""
    options = Options(iterations=expansions, children=BRANCHING, batch=1, depth=DEPTH + 1, exploration=EXPLORATION,
                      in_flight=in_flight, finish=0, **pending)  # fmt: skip
    search = build(options, Trajectory(problem("a toy")), 0)
    out: list[tuple[int, Expansion]] = []
    now = 0
    while not search.finished:
        out += [(now + 1, expansion) for expansion in search.ask(in_flight)]
        now, expansion = out.pop(0)
        search.tell(toy.grow(expansion))
    return Grown(search.state.tree.root.value, preferred_step(search), found(search), now)


def preferred_step(search: MCTS) -> int:
    """The root's child of greatest mean value."""
    nodes = search.state.tree.nodes
    best = max(search.state.tree.root.children, key=lambda index: nodes[index].value)
    return nodes[best].trajectory.lineage[0]


def found(search: MCTS) -> float:
    """The value of the best leaf that was reached; 0 where there was none."""
    return max((candidate.value or 0.0 for candidate in search.candidates()), default=0.0)


def measured(toys: list[Toy], expansions: int) -> list[Row]:
    """All rows."""
    rows = []
    for name, pending in PENDING.items():
        serial = [grow(toy, expansions, 1, pending) for toy in toys]
        for in_flight in IN_FLIGHT:
            many = serial if in_flight == 1 else [grow(toy, expansions, in_flight, pending) for toy in toys]
            rows.append(_row(name, in_flight, toys, many, serial))
    return rows


def _row(name: str, in_flight: int, toys: list[Toy], many: list[Grown], serial: list[Grown]) -> Row:
    rounds = statistics.fmean(one.rounds for one in many)
    return Row(
        name,
        in_flight,
        root_error=statistics.fmean(abs(toy.best[()] - one.root_value) for toy, one in zip(toys, many, strict=True)),
        agreement=statistics.fmean(one.step == toy.best_step for toy, one in zip(toys, many, strict=True)),
        same_step=statistics.fmean(one.step == other.step for one, other in zip(many, serial, strict=True)),
        best_found=statistics.fmean(one.found for one in many),
        rounds=rounds,
        times_faster=statistics.fmean(one.rounds for one in serial) / rounds,
    )


def plotted(rows: list[Row]) -> str:
    """Root error and agreement over the leaves under way, as SVG."""

    def panel(title: str, field: str, span: tuple[float, ...]) -> Panel:
        lines = [
            Line(name, [(row.in_flight, getattr(row, field)) for row in rows if row.pending == name])
            for name in PENDING
        ]
        return Panel(title, "leaves under way", lines, span)

    root_error = panel("root error", "root_error", (0.2, 0.4))
    agreement = panel("share of trees with the best first step", "agreement", (0.5, 1.0))
    return drawn([root_error, agreement], "pending leaves count")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--expansions", type=int, default=256)
    parser.add_argument("--plot", type=Path, help="write the figure here")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    rows = measured([Toy(seed) for seed in range(options.trees)], options.expansions)
    if options.plot:
        options.plot.write_text(plotted(rows), encoding="utf-8")
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print("| pending leaves count | under way | root error | agreement | same step | best found | rounds | faster |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {row.pending} | {row.in_flight} | {row.root_error:.3f} | {row.agreement:.1%} | {row.same_step:.1%} "
              f"| {row.best_found:.3f} | {row.rounds:.0f} | {row.times_faster:.1f} x |")  # fmt: skip


if __name__ == "__main__":
    main()
